// A list whose entries travel to their new places, and keep the focus on their way.

const TRAVEL = { duration: 520, easing: "cubic-bezier(0.2, 0.8, 0.2, 1)" };
const ENTRANCE = [{ opacity: 0, transform: "scale(0.94)" }, { opacity: 1, transform: "none" }];
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class ItemList {
  #cards = new Map();

  constructor(list, makeCard) {
    this.list = list;
    this.makeCard = makeCard;
  }

  get items() {
    return [...this.#cards.values()].map(({ item }) => item);
  }

  // Show a new list; return how many entries moved, came and left.
  show(items, interest) {
    const isFirst = this.#cards.size === 0;
    const places = new Map(this.items.map(({ item_id, position }) => [item_id, position]));
    const stood = this.#whereTheyStand();
    const cards = new Map();
    for (const item of items) {
      const card = this.#cards.get(item.item_id) ?? this.makeCard(item);
      const before = isFirst ? undefined : (places.get(item.item_id) ?? null);
      card.update(item, { before, interest });
      cards.set(item.item_id, card);
    }
    const leaving = [...this.#cards.keys()].filter((itemId) => !cards.has(itemId));
    this.#leave(leaving);
    this.#cards = cards;
    this.#arrange([...cards.values()].map((card) => card.element));
    if (!still.matches) this.#travel(stood, isFirst);
    const came = isFirst ? 0 : items.filter(({ item_id }) => !places.has(item_id)).length;
    const moved = items.filter(({ item_id, position }) => places.has(item_id) && places.get(item_id) !== position);
    return { moved: moved.length, came, left: leaving.length };
  }

  clear() {
    this.#cards.clear();
    this.list.replaceChildren();
  }

  // Whoever had the focus on an entry that goes finds it on the next one.
  hide(itemId) {
    this.#leave([itemId]);
    this.#cards.delete(itemId);
  }

  #leave(itemIds) {
    for (const itemId of itemIds) {
      const leaving = this.#cards.get(itemId)?.element;
      if (leaving === undefined) continue;
      const focused = leaving.contains(document.activeElement) ? document.activeElement : null;
      const next = leaving.nextElementSibling ?? leaving.previousElementSibling;
      leaving.remove();
      if (focused === null) continue;
      const same = next?.querySelector(`.${focused.classList[0]}`);
      (same ?? this.list).focus({ preventScroll: true });
    }
  }

  // An entry that is taken out of the page loses the focus, so the one that has it stays in it,
  // and the others are put around it.
  #arrange(elements) {
    const anchor = elements.findIndex((each) => each.contains(document.activeElement));
    const fixed = elements[anchor] ?? null;
    elements.forEach((each, place) => {
      if (place < anchor) this.list.insertBefore(each, fixed);
      if (place > anchor) this.list.append(each);
    });
  }

  #whereTheyStand() {
    const stood = new Map();
    for (const [itemId, card] of this.#cards) {
      stood.set(itemId, card.element.getBoundingClientRect());
    }
    return stood;
  }

  #travel(stood, isFirst) {
    for (const [itemId, { element }] of this.#cards) {
      const before = stood.get(itemId);
      if (before === undefined) {
        if (!isFirst) element.animate(ENTRANCE, TRAVEL);
        continue;
      }
      const now = element.getBoundingClientRect();
      const [x, y] = [before.left - now.left, before.top - now.top];
      if (x === 0 && y === 0) continue;
      element.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: "none" }], TRAVEL);
    }
  }
}
