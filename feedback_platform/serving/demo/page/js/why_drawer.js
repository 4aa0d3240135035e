// Why an item is in the list, in words, and how much each of them weighs.

import { element } from "./element.js";
import { Drawer } from "./drawer.js";

const SHARE = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const number = (weight) => NUMBER.format(weight);
const times = (weight) => `${NUMBER.format(weight)}×`;
// Weights are comparable within a kind only: of each, a heading, what a weight is, and how it reads.
const KINDS = {
  session: ["What you did a moment ago", "how often it follows", number],
  liked: ["What you liked before", "likeness × your score", number],
  segment: ["People like you", "compared with everybody", times],
  trend: ["This week", "compared with an average week", times],
  popular: ["Everybody", "people", number],
  exploration: ["To find out", "chance of this place", (weight) => SHARE.format(weight)],
};

export class WhyDrawer {
  #drawer;
  #explain;

  // `explain` asks for the explanation of an item.
  constructor(dialog, explain) {
    this.#drawer = new Drawer(dialog);
    this.#explain = explain;
  }

  async open(item) {
    const title = `Why “${item.title}”?`;
    const body = this.#drawer.open(title, [element("p", { class: "hint", role: "status" }, "Asking …")]);
    try {
      body.replaceChildren(...explained(await this.#explain(item)));
    } catch (error) {
      body.replaceChildren(element("p", { role: "alert" }, `It cannot be told now. ${error.message}`));
    }
  }
}

function explained({ title, is_listed, position, reasons, model_version, experiments }) {
  const place = is_listed ? `It is in place ${position} of your list.` : "It is not in your list now.";
  const kinds = Map.groupBy(reasons, ({ kind }) => kind);
  const parts = [...kinds].flatMap(([kind, ofKind]) => group(kind, ofKind));
  return [
    element("p", {}, reasons.length > 0 ? place : `${place} Nothing in particular speaks for ${title}.`),
    ...parts,
    ...experiments.map(takingPart),
    element("p", { class: "hint" }, `Model ${model_version}`),
  ];
}

function takingPart({ experiment_id, variant }) {
  return element("p", { class: "hint" }, `Part of the experiment “${experiment_id}”: you see “${variant}”. Who switches research off takes part in none.`);
}

function group(kind, reasons) {
  const [heading, unit, said] = KINDS[kind] ?? [kind, "", number];
  const most = Math.max(...reasons.map(({ weight }) => Math.abs(weight)), Number.MIN_VALUE);
  const rows = reasons.map(({ text, weight }) => {
    const bar = element("span", { class: weight < 0 ? "bar against" : "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", Math.abs(weight) / most);
    return element("li", {}, element("p", {}, text), element("span", { class: "weight" }, said(weight)), bar);
  });
  const title = element("h3", {}, heading, " ", element("span", { class: "unit" }, unit));
  return [title, element("ul", { class: "reasons" }, ...rows)];
}
