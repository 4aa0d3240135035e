// What is known about the visitor, as a file; and the end of it.

import { element } from "./element.js";

export class OwnData {
  #status;

  // `known` and `erase` ask the server; `whenErased` is told that the user is no more.
  constructor({ exporting, deleting, dialog, keep, confirm, status }, { known, erase, whenErased }) {
    this.#status = status;
    exporting.addEventListener("click", () => this.#guarded(async () => this.#download(await known())));
    deleting.addEventListener("click", () => dialog.showModal());
    keep.addEventListener("click", () => dialog.close());
    confirm.addEventListener("click", () => {
      dialog.close();
      this.#guarded(async () => whenErased(await erase()));
    });
  }

  say(text) {
    this.#status.textContent = text;
  }

  #download(data) {
    const text = JSON.stringify(data, null, 2);
    const href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    element("a", { href, download: "what-is-known-about-me.json" }).click();
    URL.revokeObjectURL(href);
    const size = new Intl.NumberFormat("en", { maximumFractionDigits: 1 }).format(text.length / 1024);
    this.say(`Everything that is known about you, ${size} KB, is in the file that was saved.`);
  }

  async #guarded(deed) {
    this.say("Asking …");
    try {
      await deed();
    } catch (error) {
      this.say(error.message);
    }
  }
}
