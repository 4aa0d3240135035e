// The page: what the visitor does goes to the server, and the next list comes from there.

import { Card } from "./card.js";
import { showCategories } from "./categories.js";
import { Choices } from "./choices.js";
import { unseen } from "./element.js";
import { Happened } from "./happened.js";
import { ItemDrawer, starred } from "./item_drawer.js";
import { ItemList } from "./item_list.js";
import { OwnData } from "./own_data.js";
import { Shortcut } from "./shortcut.js";
import { Visitors } from "./visitors.js";
import { WhyDrawer } from "./why_drawer.js";

const LENGTH = 12;
const SHORTCUTS = 4;
// Between two looks for lists that are not there yet.
const PATIENCE = 5000;
// From here on a rating is praise.
const GOOD = 4;
const byId = (id) => document.getElementById(id);

export class DemoPage {
  #server;
  #tracking;
  #flags;
  #memory;
  #notices;
  #visitors;
  #list;
  #shortcuts;
  #choices;
  #ownData;
  #happened;
  #userId = null;
  #interest = null;
  #isStranger = false;
  #layouts = new Map();
  #turn = 0;

  constructor({ server, tracking, flags, memory, notices, users }) {
    this.#server = server;
    this.#tracking = tracking;
    this.#flags = flags;
    this.#memory = memory;
    this.#notices = notices;
    this.#visitors = new Visitors({ who: byId("who"), afresh: byId("afresh") }, users, (userId) => this.#play(userId));
    this.#happened = new Happened({ list: byId("happened"), latency: byId("latency"), sent: byId("sent") });
    const said = {
      like: (item) => this.#like(item),
      dismiss: (item) => this.#dismiss(item),
      rate: (item, stars) => this.#rate(item, stars),
      view: (item, milliseconds) => this.#view(item, milliseconds),
    };
    const drawer = new ItemDrawer(byId("item"), memory, said);
    const why = new WhyDrawer(byId("why"), (item) => server.explanation(this.#userId, item));
    const open = (item) => {
      drawer.open(item);
      this.#click(item);
    };
    const deeds = { ...said, open, why: (item) => why.open(item) };
    this.#list = new ItemList(byId("list"), (item) => new Card(item, memory, deeds));
    this.#shortcuts = new ItemList(byId("shortcuts"), (item) => new Shortcut(item, deeds));
    this.#choices = new Choices(byId("choices"), (...changed) => this.#prefer(...changed));
    this.#ownData = new OwnData(
      { exporting: byId("export"), deleting: byId("delete"), dialog: byId("confirm"), keep: byId("keep"), confirm: byId("erase"), status: byId("data-status") },
      { known: () => server.known(this.#userId), erase: () => server.erase(this.#userId), whenErased: () => this.#startAnew() },
    );
    flags.whenChanged(() => this.#layOut());
  }

  // The page is about another visitor from now on.
  async become(userId) {
    this.#userId = userId;
    this.#interest = null;
    this.#isStranger = this.#visitors.isNew(userId);
    this.#memory.become(userId);
    this.#visitors.show(userId);
    byId("about").hidden = false;
    this.#list.clear();
    this.#shortcuts.clear();
    this.#layouts.clear();
    await Promise.all([this.#tracking.become(userId), this.#flags.become(userId)]);
    await Promise.all([this.#showChoices(), this.#refresh("Here you are")]);
  }

  async #play(userId) {
    try {
      await this.become(await this.#server.become(userId));
    } catch (error) {
      this.#visitors.show(this.#userId);
      this.#notices.fail(error.message, () => this.#play(userId));
    }
  }

  #click(item) {
    this.#interest = item.categories[0] ?? null;
    return this.#tell("click", item, {}, `You opened ${item.title}`);
  }

  #view(item, milliseconds) {
    const seconds = Math.round(milliseconds / 1000);
    return this.#tell("view", item, { dwell_ms: milliseconds }, `You looked at ${item.title} for ${seconds} s`);
  }

  #like(item) {
    if (this.#memory.recall("like", item.item_id)) return undefined;
    this.#memory.remember("like", item.item_id);
    this.#interest = item.categories[0] ?? null;
    return this.#tell("like", item, {}, `You liked ${item.title}`);
  }

  #rate(item, stars) {
    this.#memory.remember("rate", item.item_id, stars);
    if (stars >= GOOD) this.#interest = item.categories[0] ?? null;
    return this.#tell("rate", item, { rating: stars }, `You gave ${item.title} ${starred(stars)}`);
  }

  #dismiss(item) {
    this.#memory.remember("dismiss", item.item_id);
    if (item.categories.includes(this.#interest)) this.#interest = null;
    this.#list.hide(item.item_id);
    this.#shortcuts.hide(item.item_id);
    return this.#tell("dismiss", item, {}, `You dismissed ${item.title}`);
  }

  // The list is asked for when the event is stored: the answer knows of it.
  async #tell(deed, item, facts, what) {
    const began = performance.now();
    try {
      await this.#tracking.tell(deed, item, facts);
    } catch (error) {
      this.#notices.fail(error.message, () => this.#refresh(what));
      return;
    }
    this.#happened.event(what, performance.now() - began);
    this.#isStranger = false;
    await this.#refresh(what);
  }

  async #refresh(what) {
    this.#turn += 1;
    const turn = this.#turn;
    const askedAt = new Date();
    try {
      const [list, beside] = await Promise.all([this.#ask(this.#placement, LENGTH), this.#ask("sidebar", SHORTCUTS)]);
      // A later question has a newer answer.
      if (turn !== this.#turn) return;
      this.#notices.clear();
      this.#show(list, beside, what, askedAt);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#wait(error, what);
    }
  }

  // Lists that are not there yet are waited for: somebody may be training right now.
  #wait(error, what) {
    if (error.status !== 503) {
      this.#notices.fail(error.message, () => this.#refresh(what));
      return;
    }
    this.#notices.noLists(error.message);
    const turn = this.#turn;
    setTimeout(() => turn === this.#turn && this.#refresh(what), PATIENCE);
  }

  get #placement() {
    return this.#isStranger ? "onboarding" : "home";
  }

  async #ask(placement, length) {
    const began = performance.now();
    const { items, recommendation_id, is_personalised, experiments } = await this.#server.recommendations(this.#userId, placement, length);
    const took = performance.now() - began;
    const listed = items
      .filter(({ item_id }) => !this.#memory.recall("dismiss", item_id))
      .map((item) => ({ ...item, recommendation_id, placement }));
    return { listed, is_personalised, experiments, took };
  }

  #show({ listed, is_personalised, experiments, took }, beside, what, askedAt) {
    const interest = is_personalised ? this.#interest : null;
    const isFirst = this.#list.items.length === 0;
    const { moved, came, left } = this.#list.show(listed, interest);
    this.#shortcuts.show(beside.listed, interest);
    showCategories(byId("categories"), listed, interest);
    if (listed.length === 0) this.#notices.nothingToShow();
    byId("heading").textContent = is_personalised ? "Chosen for you" : "Popular with everybody";
    byId("lead").textContent = this.#lead(is_personalised, experiments.length > 0);
    this.#layOut({ isShown: true, since: askedAt });
    const changed = isFirst ? counted(listed.length, "item", "items") : `${moved} moved, ${came} new, ${left} left`;
    this.#happened.answer(`List: ${changed}`, took);
    const first = listed[0] === undefined ? "" : unseen(` First is ${listed[0].title}.`);
    byId("status").replaceChildren(`${what}: ${changed}.`, first);
  }

  #lead(isPersonalised, isInExperiment) {
    if (!isPersonalised && isInExperiment) return "This is what everybody likes most; an experiment shows it to you.";
    if (!isPersonalised) return "Personalisation is off: this is what everybody gets.";
    if (this.#isStranger) return "Nobody knows you yet. Every click changes that, at once.";
    return "What you do here changes what you see next, at once.";
  }

  // A change that comes while another visitor takes over says nothing of either.
  #layOut({ isShown = false, since = new Date() } = {}) {
    const places = [[byId("list"), this.#placement], [byId("shortcuts"), "sidebar"]];
    for (const [list, placement] of places) {
      const { flag, value, experiment } = this.#flags.layout(placement);
      const before = this.#layouts.get(flag);
      list.dataset.layout = value;
      this.#layouts.set(flag, value);
      if (experiment && (isShown || before !== undefined)) this.#tracking.expose(experiment, since);
      if (before !== undefined && before !== value) this.#happened.note(`Flag ${flag}: ${before} → ${value}`);
    }
  }

  async #showChoices() {
    const userId = this.#userId;
    try {
      const preferences = await this.#server.preferences(userId);
      if (userId === this.#userId) this.#choices.show(preferences);
    } catch (error) {
      if (userId === this.#userId) this.#choices.fail(error.message);
    }
  }

  async #prefer(changed, label, isOn) {
    try {
      await this.#server.prefer(this.#userId, changed);
    } catch (error) {
      this.#notices.fail(error.message, () => this.#showChoices());
      return false;
    }
    const what = `${label}: ${isOn ? "on" : "off"}`;
    this.#happened.note(what);
    await this.#refresh(what);
    return true;
  }

  async #startAnew() {
    await this.#play(null);
    this.#ownData.say("Your request is filed, and will be carried out in every layer. You are somebody new now.");
  }
}

const counted = (count, one, many) => `${count} ${count === 1 ? one : many}`;
