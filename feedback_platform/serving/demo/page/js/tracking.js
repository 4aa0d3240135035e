// What the visitor does, told through Segment's browser library as it comes from its makers.

const NAMES = {
  click: "Item Clicked",
  view: "Item Viewed",
  like: "Item Liked",
  dismiss: "Item Dismissed",
  rate: "Item Rated",
};

export class Tracking {
  #analytics;
  #exposed = new Set();

  // The library asks this server, and not its makers', where to send. It keeps nothing in the
  // browser: whoever is played in one tab is not who is played in another.
  static async load(root, writeKey) {
    const cdnURL = root.href.replace(/\/$/, "");
    const tracking = new Tracking();
    const { AnalyticsBrowser } = globalThis.AnalyticsNext;
    const loaded = AnalyticsBrowser.load({ writeKey, cdnURL }, { disableClientPersistence: true });
    [tracking.#analytics] = await loaded;
    return tracking;
  }

  // A browser that stays anonymous in between: what one visitor did is not the next one's.
  async become(userId) {
    this.#analytics.reset();
    this.#exposed.clear();
    await this.#analytics.identify(userId);
  }

  // Resolves when the server has stored the event.
  async tell(deed, item, facts = {}) {
    const { item_id, position, recommendation_id, placement } = item;
    const properties = { item_id, position, recommendation_id, placement, ...facts };
    const told = await this.#analytics.track(NAMES[deed], properties);
    if (told.failedDelivery()) throw new Error("The server refuses the event.");
    // The library tries on by itself.
    const isWaiting = told.logs().some(({ level }) => level === "error");
    if (isWaiting) throw new Error("The server does not answer; the event is sent when it does.");
  }

  // All flags are asked for at once, so the server cannot know which of them the page acts on.
  // What the visitor does counts from then on: from before what was shown was asked for.
  expose({ experiment_id, variant }, timestamp) {
    const met = JSON.stringify([experiment_id, variant]);
    if (this.#exposed.has(met)) return;
    this.#exposed.add(met);
    this.#analytics.track("Experiment Viewed", { experiment_id, variant }, { timestamp });
  }
}
