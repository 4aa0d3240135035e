// The API behind the page, asked as whoever is played.

export class ServerError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class Server {
  #userId = null;
  #token = null;

  constructor(root) {
    this.root = root;
  }

  // Who may be played, and the key that events are sent with.
  start() {
    return this.#ask("demo/start");
  }

  // Become a user of the simulation, or somebody new where none is named.
  async become(userId) {
    const query = userId === null ? "" : `?${new URLSearchParams({ user_id: userId })}`;
    const { user_id, token } = await this.#ask(`demo/visitors${query}`, { method: "POST" });
    this.#userId = user_id;
    this.#token = token;
    return user_id;
  }

  recommendations(userId, placement, limit) {
    const query = new URLSearchParams({ placement, limit });
    return this.#askAsUser(`v1/recommendations/${encodeURIComponent(userId)}?${query}`);
  }

  explanation(userId, { item_id, placement }) {
    const [user, item] = [userId, item_id].map(encodeURIComponent);
    const query = new URLSearchParams({ placement });
    return this.#askAsUser(`v1/recommendations/${user}/explanations/${item}?${query}`);
  }

  preferences(userId) {
    return this.#askAsUser(`v1/users/${encodeURIComponent(userId)}/preferences`);
  }

  prefer(userId, changed) {
    const path = `v1/users/${encodeURIComponent(userId)}/preferences`;
    return this.#askAsUser(path, { method: "PUT", body: JSON.stringify(changed) });
  }

  known(userId) {
    return this.#askAsUser(`v1/users/${encodeURIComponent(userId)}/data`);
  }

  erase(userId) {
    return this.#askAsUser(`v1/users/${encodeURIComponent(userId)}`, { method: "DELETE" });
  }

  // A token lasts for a while, and the page may be open for longer.
  async #askAsUser(path, request = {}) {
    try {
      return await this.#ask(path, request);
    } catch (error) {
      if (error.status !== 401 || this.#token === null) throw error;
      await this.become(this.#userId);
      return this.#ask(path, request);
    }
  }

  async #ask(path, request = {}) {
    const headers = request.body === undefined ? {} : { "content-type": "application/json" };
    if (this.#token !== null) headers.authorization = `Bearer ${this.#token}`;
    let answer;
    try {
      answer = await fetch(new URL(path, this.root), { ...request, headers, cache: "no-store" });
    } catch {
      throw new ServerError(0, "unreachable", "The server does not answer.");
    }
    const content = await answer.json().catch(() => ({}));
    if (answer.ok) return content;
    const message = content.message ?? `The server answers ${answer.status}.`;
    throw new ServerError(answer.status, content.code, message);
  }
}
