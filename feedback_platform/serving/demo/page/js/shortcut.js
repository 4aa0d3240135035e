// An entry of the list beside: its title and no more.

import { element, unseen } from "./element.js";
import { icon } from "./icons.js";

export class Shortcut {
  constructor(item, deeds) {
    this.item = item;
    const open = () => deeds.open(this.item, this);
    this.element = element(
      "li",
      { class: "shortcut", "data-item": item.item_id },
      element(
        "button",
        { type: "button", class: "open", click: open },
        icon(item.categories[0]),
        element("span", {}, item.title, unseen(", at hand")),
      ),
    );
  }

  update(item, { interest }) {
    this.item = item;
    this.element.classList.toggle("matches", item.categories.includes(interest));
  }
}
