// One item of the list, which lasts as long as the item is listed, wherever it moves.

import { element, unseen } from "./element.js";
import { icon } from "./icons.js";

export class Card {
  #parts;
  #memory;

  // `deeds` has what can be done: open, like, dismiss and why, each called with the item.
  constructor(item, memory, deeds) {
    this.#memory = memory;
    const act = (deed) => () => deeds[deed](this.item, this);
    const about = unseen(` ${item.title}`);
    this.#parts = {
      category: element("span", { class: "category" }),
      change: element("span", { class: "change" }),
      reason: element("span", {}),
      like: element("button", { type: "button", class: "like", click: act("like") }),
    };
    const { category, change, reason, like } = this.#parts;
    const open = element("button", { type: "button", class: "open", click: act("open") }, item.title);
    const dismiss = element("button", { type: "button", class: "dismiss", click: act("dismiss") }, "Not this", about);
    const why = element("button", { type: "button", class: "why", click: act("why") }, "Why this?", about.cloneNode(true));
    this.element = element(
      "li",
      { class: "card", "data-item": item.item_id },
      element("div", { class: "card-head" }, category, change),
      element("h2", { class: "title" }, open),
      element("p", { class: "reason" }, reason, " ", why),
      element("div", { class: "actions" }, like, dismiss),
    );
    this.update(item, { interest: null });
  }

  // `before` is the place where it stood, null for one that was not listed, undefined for no word.
  update(item, { before, interest }) {
    this.item = item;
    const { category, change, reason } = this.#parts;
    const matches = item.categories.includes(interest);
    const match = matches ? element("span", { class: "just" }, "your interest") : null;
    category.replaceChildren(icon(item.categories[0]), element("span", { class: "name" }, item.categories.join(" · ")), match ?? "");
    this.element.classList.toggle("matches", matches);
    this.element.classList.toggle("explores", item.is_exploration);
    reason.textContent = item.reason ?? "";
    change.replaceChildren(...movement(item.position, before));
    change.dataset.change = before === null ? "new" : Math.sign((before ?? item.position) - item.position);
    this.mark();
  }

  mark() {
    const { like } = this.#parts;
    const liked = this.#memory.recall("like", this.item.item_id) === true;
    like.replaceChildren(liked ? "Liked" : "Like", unseen(` ${this.item.title}`));
    like.setAttribute("aria-pressed", liked);
  }
}

function movement(place, before) {
  if (before === undefined || before === place) return [];
  if (before === null) return ["new"];
  const places = Math.abs(before - place);
  const [sign, word] = before > place ? ["▲", "up"] : ["▼", "down"];
  return [
    element("span", { "aria-hidden": "true" }, `${sign} ${places}`),
    unseen(`moved ${word} ${places} ${places === 1 ? "place" : "places"}`),
  ];
}
