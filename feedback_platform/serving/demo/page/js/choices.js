// The switches of the visitor: what is not wanted holds from the next list on.

import { element } from "./element.js";

const SIGNALS = {
  view: "what I look at",
  click: "what I click",
  use: "what I work with",
  like: "what I like",
  dismissal: "what I dismiss",
  rating: "what I rate",
  conversion: "what I buy",
};

export class Choices {
  #place;
  #prefer;

  // `prefer` sends what changed and returns all preferences.
  constructor(place, prefer) {
    this.#place = place;
    this.#prefer = prefer;
  }

  show({ personalisation, research, signals }) {
    const each = Object.entries(signals).map(([name, allowed]) =>
      this.#switch(SIGNALS[name] ?? name, allowed, (on) => ({ signals: { [name]: on } }), `signal-${name}`),
    );
    const isOpen = this.#place.querySelector("details")?.open;
    this.#place.replaceChildren(
      this.#switch("Personalise for me", personalisation, (on) => ({ personalisation: on }), "personalisation"),
      this.#switch("Use my data for research", research, (on) => ({ research: on }), "research"),
      element("details", { open: isOpen }, element("summary", {}, "What may count"), ...each),
    );
  }

  fail(message) {
    this.#place.replaceChildren(element("p", { class: "hint" }, `Your choices cannot be shown. ${message}`));
  }

  #switch(label, isOn, changed, id) {
    const input = element("input", { type: "checkbox", role: "switch", id, checked: isOn });
    input.addEventListener("change", async () => {
      const wanted = input.checked;
      // It shows what holds: the server's word, not the wish.
      const holds = await this.#prefer(changed(wanted), label, wanted);
      input.checked = holds ? wanted : !wanted;
    });
    return element("p", { class: "switch" }, input, element("label", { for: id }, label));
  }
}
