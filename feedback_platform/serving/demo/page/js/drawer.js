// A dialog at the side, behind which the list is still seen to move.

import { element } from "./element.js";

export class Drawer {
  #whenClosed = null;

  constructor(dialog) {
    this.dialog = dialog;
    dialog.addEventListener("close", () => {
      // The focus goes back to where it was, unless that has left the list meanwhile.
      const { activeElement } = document;
      const isLost = activeElement === document.body || dialog.contains(activeElement);
      if (isLost) document.getElementById("list").focus({ preventScroll: true });
      this.#whenClosed?.();
      this.#whenClosed = null;
    });
    dialog.addEventListener("click", ({ target }) => {
      if (target === dialog) dialog.close();
    });
  }

  open(title, content, whenClosed = null) {
    this.#whenClosed = whenClosed;
    const close = element("button", { type: "button", class: "close", click: () => this.dialog.close() }, "Close");
    const heading = element("h2", { id: `${this.dialog.id}-title`, tabindex: "-1" }, title);
    const body = element("div", { class: "drawer-body" }, ...content);
    this.dialog.replaceChildren(element("div", { class: "drawer-head" }, heading, close), body);
    if (!this.dialog.open) this.dialog.showModal();
    heading.focus();
    return body;
  }
}
