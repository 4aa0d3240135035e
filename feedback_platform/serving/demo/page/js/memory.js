// What the visitor said on this page, for as long as the tab is open: hearts stay red on reload.

const KEY = "demo";

export class Memory {
  #saved;

  constructor() {
    try {
      this.#saved = JSON.parse(sessionStorage.getItem(KEY)) ?? {};
    } catch {
      this.#saved = {};
    }
  }

  get visitor() {
    return this.#saved.visitor ?? null;
  }

  // Somebody else: what the one before said is not theirs.
  become(visitor) {
    if (visitor !== this.visitor) this.#save({ visitor });
  }

  remember(deed, itemId, value = true) {
    this.#save({ ...this.#saved, [deed]: { ...this.#saved[deed], [itemId]: value } });
  }

  recall(deed, itemId) {
    return this.#saved[deed]?.[itemId];
  }

  #save(saved) {
    this.#saved = saved;
    try {
      sessionStorage.setItem(KEY, JSON.stringify(saved));
    } catch {
      // A browser that keeps nothing shows the page all the same.
    }
  }
}
