// A policy to try: presets, single rules, and their decisions on the session's requests. The server computes the
// decisions, with the same function as for real requests.

import { fetchDecisions } from "./api.js";
import { formatYaml, keepDifferences, setChange } from "./changes.js";
import { showDecisions } from "./decisions.js";
import { $, announce, createElement, fill, show } from "./dom.js";
import { PresetCards } from "./presets.js";
import { drawRules } from "./rules.js";

const MOST_REQUESTS = 64;
const MOST_VIEWS = 4096; // maximum views of all requests in one call to the server
const PAUSE_MS = 120;

// Selects the newest requests that fit into one call.
const selectNewest = (session) => {
  let left = MOST_VIEWS;
  const requests = session.filter(({ views }) => views.length <= MOST_VIEWS);
  const first = requests.findLastIndex(({ views }) => (left -= views.length) < 0);
  return requests.slice(Math.max(first + 1, requests.length - MOST_REQUESTS));
};

export class PolicyTrial {
  #server;
  #presets;
  #requests = [];
  #changes = {};
  #newest = 0;
  #timer = null;

  constructor(server) {
    this.#server = server;
    const base = $("base");
    fill(base, server.policies.map(({ name }) => createElement("option", { value: name }, name)));
    show($("base-field"), server.policies.length > 1);
    base.addEventListener("change", () => this.#start({}));
    $("reset").addEventListener("click", () => {
      this.#start({});
      announce("The rules were reset");
    });
    this.#presets = new PresetCards(server.presets, (changes) => this.#choosePreset(changes));
    this.#start({});
  }

  // Adds a judged turn.
  add({ prompt, images, judgement }) {
    const { why } = judgement;
    const views = why.views
      .filter((view) => view.decides)
      .map((view) => ({ types: Object.values(view.type_scores), levels: Object.values(view.level_scores) }));
    const novelty = why.novelty?.score ?? null;
    this.#requests = selectNewest([...this.#requests, { prompt, images, decision: why.policy.decision, views, novelty }]);
    this.#showChanges();
  }

  get #base() {
    return this.#server.policies.find(({ name }) => name === $("base").value);
  }

  // Presets are changes to the policy that is served by default.
  #choosePreset(changes) {
    $("base").selectedIndex = 0;
    this.#start(changes, { isPreset: true });
  }

  #start(changes, { isPreset = false } = {}) {
    this.#changes = keepDifferences(changes, this.#base);
    if (!isPreset) this.#markPreset();
    drawRules(this.#server, this.#base, this.#changes, (...change) => {
      setChange(this.#changes, this.#base, ...change);
      this.#markPreset();
      this.#showChanges();
    });
    this.#showChanges();
  }

  get #isChanged() {
    return Object.keys(this.#changes).length > 0;
  }

  #markPreset() {
    this.#presets.mark({ isUnchanged: $("base").selectedIndex === 0 && !this.#isChanged });
  }

  #showChanges() {
    $("yaml").textContent = formatYaml(this.#changes);
    $("reset").disabled = !this.#isChanged;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#decide(), PAUSE_MS);
  }

  async #decide() {
    const requests = this.#requests;
    show($("no-session"), !requests.length);
    show($("session"), requests.length > 0);
    if (!requests.length) return;
    const turn = ++this.#newest;
    let found;
    try {
      found = await fetchDecisions($("base").value, this.#changes, requests);
    } catch (error) {
      if (turn !== this.#newest) return;
      $("policy-problem").textContent = error.message;
      show($("policy-problem"), true);
      return;
    }
    if (turn !== this.#newest) return; // a newer change was answered before this one
    show($("policy-problem"), false);
    showDecisions(requests, found);
  }
}
