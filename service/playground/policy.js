// A policy to try: editable rules, and their decisions on the session's requests.
// The server computes the decisions, with the same function as for real requests.

import { decisions } from "./api.js";
import { $, el, fill, precise, say, show, spelled } from "./dom.js";

const DECISIONS = { allowed: "Allowed", cautioned: "Cautioned", refused: "Refused" };
const ACTIONS = ["allow", "caution", "refuse"];
const STEEPNESS = 8; // thresholds lie close to 0 and 1, so a slider sets their log-odds, from -8 to 8
const MOST_REQUESTS = 64;
const MOST_VIEWS = 4096; // maximum views of all requests in one call to the server
const PAUSE_MS = 120;

const toSlider = (threshold) => {
  const inside = Math.min(1 - 1e-4, Math.max(1e-4, threshold));
  return Math.round((500 * (Math.log(inside / (1 - inside)) + STEEPNESS)) / STEEPNESS);
};
const fromSlider = (position) => Number(precise(1 / (1 + Math.exp(-((position / 500) * STEEPNESS - STEEPNESS)))));

// Selects the newest requests that fit into one call.
const newest = (session) => {
  let left = MOST_VIEWS;
  const requests = session.filter(({ views }) => views.length <= MOST_VIEWS);
  const first = requests.findLastIndex(({ views }) => (left -= views.length) < 0);
  return requests.slice(Math.max(first + 1, requests.length - MOST_REQUESTS));
};

export class PolicyTrial {
  #server;
  #requests = [];
  #changes = {};
  #newest = 0;
  #timer = null;

  constructor(server) {
    this.#server = server;
    const base = $("base");
    fill(base, server.policies.map(({ name }) => el("option", { value: name }, name)));
    show($("base-field"), server.policies.length > 1);
    base.addEventListener("change", () => this.reset());
    $("reset").addEventListener("click", () => {
      this.reset();
      say("The rules were reset");
    });
    this.reset();
  }

  reset() {
    this.#changes = {};
    this.#drawRules();
    this.#changed();
  }

  // Adds a judged request; `why` is the server's explanation.
  add({ prompt, urls, why }) {
    const views = why.views
      .filter((view) => view.decides)
      .map((view) => ({ types: Object.values(view.type_scores), levels: Object.values(view.level_scores) }));
    this.#requests = newest([...this.#requests, { prompt, urls, decision: why.policy.decision, views }]);
    this.#changed();
  }

  get #base() {
    return this.#server.policies.find(({ name }) => name === $("base").value);
  }

  #set(field, type, level, value) {
    const old = level === null ? this.#base[field][type] : this.#base[field][type][level];
    const changes = this.#changes;
    const of = level === null ? (changes[field] ??= {}) : ((changes[field] ??= {})[type] ??= {});
    const key = level ?? type;
    if (value === old) delete of[key];
    else of[key] = value;
    if (level !== null && !Object.keys(of).length) delete changes[field][type];
    if (!Object.keys(changes[field]).length) delete changes[field];
    this.#changed();
  }

  #drawRules() {
    const { types, levels, safe_type: safe } = this.#server;
    const base = this.#base;
    const worse = levels.map((name, index) => [index, name]).slice(1);
    fill(
      $("rules"),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("th", { scope: "col" }, "Type"),
          worse.map(([index, name]) => el("th", { scope: "col" }, `Level ${index}`, el("small", {}, spelled(name)))),
        ),
      ),
      el(
        "tbody",
        {},
        types
          .filter((type) => type !== safe)
          .map((type) => el("tr", {}, this.#switch(type, base), worse.map(([level]) => this.#rule(type, level, base)))),
      ),
    );
  }

  #switch(type, base) {
    const listen = (event) => {
      for (const control of event.target.closest("tr").querySelectorAll("td input, td select")) control.disabled = !event.target.checked;
      this.#set("enabled", type, null, event.target.checked);
    };
    const box = el("input", { type: "checkbox", checked: base.enabled[type], onchange: listen, "data-switch": type });
    return el("th", { scope: "row" }, el("label", {}, box, spelled(type)));
  }

  #rule(type, level, base) {
    const threshold = base.thresholds[type][level];
    const named = `${spelled(type)}, level ${level}`;
    const slider = el("input", {
      type: "range", min: 0, max: 1000, value: toSlider(threshold), "aria-label": `Threshold for ${named}`,
      "aria-valuetext": precise(threshold), "data-threshold": `${type}.${level}`, disabled: !base.enabled[type],
    });
    const number = el("input", {
      type: "number", min: 0, step: "any", value: precise(threshold), "aria-label": `Threshold for ${named} as a number`,
      "data-number": `${type}.${level}`, disabled: !base.enabled[type],
    });
    slider.addEventListener("input", () => {
      const value = fromSlider(Number(slider.value));
      number.value = precise(value);
      slider.setAttribute("aria-valuetext", precise(value));
      this.#set("thresholds", type, level, value);
    });
    number.addEventListener("input", () => {
      if (number.value === "" || !number.checkValidity()) return;
      // The field shows fewer digits than the policy has; an unchanged field keeps the policy's value.
      const value = number.value === precise(threshold) ? threshold : Number(number.value);
      slider.value = toSlider(value);
      slider.setAttribute("aria-valuetext", precise(value));
      this.#set("thresholds", type, level, value);
    });
    const action = el(
      "select",
      {
        "aria-label": `Action for ${named}`, "data-action": `${type}.${level}`, disabled: !base.enabled[type],
        onchange: (event) => this.#set("actions", type, level, event.target.value),
      },
      ACTIONS.map((name) => el("option", { selected: name === base.actions[type][level] }, name)),
    );
    return el("td", {}, slider, el("div", { class: "pair" }, number, action));
  }

  #changed() {
    $("yaml").textContent = yamlOf(this.#changes);
    $("reset").disabled = !Object.keys(this.#changes).length;
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
      found = await decisions($("base").value, this.#changes, requests.map(({ views }) => views));
    } catch (error) {
      if (turn !== this.#newest) return;
      $("policy-problem").textContent = error.message;
      show($("policy-problem"), true);
      return;
    }
    if (turn !== this.#newest) return; // a newer change was answered before this one
    show($("policy-problem"), false);
    this.#drawSession(requests, found);
  }

  #drawSession(requests, found) {
    const flips = requests.filter(({ decision }, index) => decision !== found[index].decision).length;
    $("flips").textContent = `${flips} of ${requests.length} decisions would change`;
    $("flips").dataset.any = String(flips > 0);
    const names = ["Images", "Prompt", "Decision", "With these rules"];
    fill(
      $("session"),
      el("thead", {}, el("tr", {}, names.map((name) => el("th", { scope: "col" }, name)))),
      el(
        "tbody",
        {},
        requests.map(({ prompt, urls, decision }, index) => {
          const { decision: other, type, level } = found[index];
          const flipped = other !== decision;
          return el(
            "tr",
            { class: flipped ? "flipped" : null },
            el("td", { class: "small" }, urls.length ? urls.map((url) => el("img", { src: url, alt: "" })) : "none"),
            el("td", { class: "prompt" }, prompt),
            el("td", {}, chip(decision)),
            el("td", {}, chip(other), el("small", {}, flipped ? "changes: " : "", level ? `${spelled(type)}, level ${level}` : "no level is reached")),
          );
        }).reverse(),
      ),
    );
  }
}

const chip = (decision) => el("span", { class: "chip", "data-decision": decision }, DECISIONS[decision]);

function yamlOf(changes) {
  const lines = [];
  for (const [field, types] of Object.entries(changes)) {
    lines.push(`${field}:`);
    for (const [type, value] of Object.entries(types)) {
      const inner = typeof value === "object" ? Object.entries(value).map(([level, one]) => `${level}: ${one}`) : null;
      lines.push(`  ${type}: ${inner ? `{${inner.join(", ")}}` : value}`);
    }
  }
  return lines.join("\n") || "# no changes";
}
