// Who is played: a user of the simulation for each segment, or somebody new.

import { element } from "./element.js";

const NEW = "new";

export class Visitors {
  #who;
  #afresh;
  #users;

  // `change` is called with a user's id, or with null for somebody new.
  constructor({ who, afresh }, users, change) {
    this.#who = who;
    this.#afresh = afresh;
    this.#users = new Map(users.map((user) => [user.user_id, user.segment]));
    const options = users.map(({ user_id, segment }) =>
      element("option", { value: user_id }, segment === null ? user_id : `${segment} (${user_id})`),
    );
    who.replaceChildren(...options, element("option", { value: NEW }, "Somebody new"));
    who.addEventListener("change", () => change(who.value === NEW ? null : who.value));
    afresh.addEventListener("click", () => change(null));
  }

  get first() {
    return this.#users.keys().next().value ?? null;
  }

  isNew(userId) {
    return !this.#users.has(userId);
  }

  show(userId) {
    this.#who.value = this.isNew(userId) ? NEW : userId;
    this.#who.disabled = false;
    this.#afresh.hidden = !this.isNew(userId);
  }
}
