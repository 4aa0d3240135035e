// Which categories the list has, and which of them the visitor just showed interest in.

import { element } from "./element.js";
import { icon } from "./icons.js";

export function showCategories(place, items, interest) {
  const counts = new Map();
  for (const category of items.flatMap(({ categories }) => categories)) {
    counts.set(category, (counts.get(category) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([one, most], [other, more]) => more - most || one.localeCompare(other));
  const chips = sorted.map(([category, count]) => {
    const isOfInterest = category === interest;
    const word = isOfInterest ? element("span", { class: "just" }, "your interest just now") : null;
    return element("li", { class: isOfInterest ? "chip matches" : "chip" }, icon(category), category, element("span", { class: "count" }, count), word);
  });
  place.replaceChildren(...chips);
}
