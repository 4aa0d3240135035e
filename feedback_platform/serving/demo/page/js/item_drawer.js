// An item that is looked at: how long it stays open counts, and so does what is said of it.

import { element, unseen } from "./element.js";
import { icon } from "./icons.js";
import { Drawer } from "./drawer.js";

const STARS = [1, 2, 3, 4, 5];

export class ItemDrawer {
  #drawer;
  #memory;
  #deeds;

  constructor(dialog, memory, deeds) {
    this.#drawer = new Drawer(dialog);
    this.#memory = memory;
    this.#deeds = deeds;
  }

  open(item) {
    const opened = performance.now();
    const close = () => this.#drawer.dialog.close();
    const like = element("button", { type: "button", class: "like" });
    const mark = () => {
      const liked = this.#memory.recall("like", item.item_id) === true;
      like.replaceChildren(liked ? "Liked" : "Like");
      like.setAttribute("aria-pressed", liked);
    };
    like.addEventListener("click", () => {
      this.#deeds.like(item);
      mark();
    });
    mark();
    const dismiss = () => {
      close();
      this.#deeds.dismiss(item);
    };
    const [category] = item.categories;
    this.#drawer.open(
      item.title,
      [
        element("p", { class: "category" }, icon(category), item.categories.join(" · ")),
        element("p", {}, `This is where “${item.title}” would be at work. That you opened it has been told; how long you stay is told when you close it.`),
        this.#stars(item),
        element("p", { class: "buttons" }, like, element("button", { type: "button", class: "dismiss", click: dismiss }, "Not this")),
      ],
      () => this.#deeds.view(item, Math.round(performance.now() - opened)),
    );
  }

  #stars(item) {
    const said = element("p", { class: "hint", role: "status" });
    const group = element("div", { class: "stars", role: "group", "aria-label": `Rate ${item.title}` });
    const mark = (rated) => {
      for (const star of group.children) {
        star.classList.toggle("on", Number(star.value) <= rated);
        star.setAttribute("aria-pressed", Number(star.value) === rated);
      }
    };
    const rate = ({ currentTarget }) => {
      const stars = Number(currentTarget.value);
      mark(stars);
      said.textContent = `You gave it ${starred(stars)}.`;
      this.#deeds.rate(item, stars);
    };
    for (const each of STARS) {
      const sign = element("span", { "aria-hidden": "true" }, "★");
      group.append(element("button", { type: "button", value: each, class: "star", click: rate }, sign, unseen(starred(each))));
    }
    mark(this.#memory.recall("rate", item.item_id) ?? 0);
    return element("div", { class: "rating" }, group, said);
  }
}

export const starred = (stars) => (stars === 1 ? "1 star" : `${stars} stars`);
