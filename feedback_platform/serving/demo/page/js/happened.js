// The last things that happened between the page and the server, newest first.

import { element } from "./element.js";

const MOST = 8;

export class Happened {
  #list;
  #latency;
  #sent;
  #count = 0;

  constructor({ list, latency, sent }) {
    this.#list = list;
    this.#latency = latency;
    this.#sent = sent;
  }

  event(what, milliseconds) {
    this.#count += 1;
    this.#sent.textContent = this.#count;
    this.#note("sent", what, `stored in ${took(milliseconds)}`);
  }

  answer(what, milliseconds) {
    this.#latency.textContent = took(milliseconds);
    this.#note("answered", what, took(milliseconds));
  }

  note(what) {
    this.#note("noted", what, "");
  }

  #note(kind, what, detail) {
    const now = element("time", {}, new Date().toLocaleTimeString("en-GB"));
    this.#list.prepend(element("li", { class: kind }, element("span", {}, what), element("span", { class: "detail" }, now, detail)));
    while (this.#list.children.length > MOST) this.#list.lastElementChild.remove();
  }
}

const took = (milliseconds) => `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
