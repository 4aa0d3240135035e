// What the page says where there is no list: what went wrong, or what to do first.

import { element } from "./element.js";

export class Notices {
  #problem;
  #empty;

  constructor({ problem, empty }) {
    this.#problem = problem;
    this.#empty = empty;
  }

  clear() {
    this.#problem.replaceChildren();
    this.#empty.hidden = true;
  }

  fail(message, again) {
    const button = element("button", { type: "button", click: again }, "Try again");
    this.#problem.replaceChildren(element("p", {}, message), button);
  }

  noLists(message) {
    this.#empty.replaceChildren(
      element("h2", {}, "There are no lists yet"),
      element("p", {}, message),
      element("p", {}, "This loads the demo’s users and trains once; the lists appear here when it is done:"),
      element("pre", {}, element("code", {}, "feedback-platform demo")),
    );
    this.#empty.hidden = false;
  }

  nothingToShow() {
    this.#empty.replaceChildren(
      element("h2", {}, "Nothing is left to show"),
      element("p", {}, "You have seen or dismissed everything that there is."),
    );
    this.#empty.hidden = false;
  }
}
