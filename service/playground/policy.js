// A policy to try: editable rules, and their decisions on the session's requests.
// The server computes the decisions, with the same function as for real requests.

import { fetchDecisions } from "./api.js";
import { $, announce, createElement, fill, precise, show, spelled } from "./dom.js";

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
const selectNewest = (session) => {
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
    fill(base, server.policies.map(({ name }) => createElement("option", { value: name }, name)));
    show($("base-field"), server.policies.length > 1);
    base.addEventListener("change", () => this.reset());
    $("reset").addEventListener("click", () => {
      this.reset();
      announce("The rules were reset");
    });
    this.reset();
  }

  reset() {
    this.#changes = {};
    this.#drawRules();
    this.#showChanges();
  }

  // Adds a judged request; `why` is the server's explanation.
  add({ prompt, urls, why }) {
    const views = why.views
      .filter((view) => view.decides)
      .map((view) => ({ types: Object.values(view.type_scores), levels: Object.values(view.level_scores) }));
    this.#requests = selectNewest([...this.#requests, { prompt, urls, decision: why.policy.decision, views }]);
    this.#showChanges();
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
    this.#showChanges();
  }

  #drawRules() {
    const { types, levels, safe_type: safe } = this.#server;
    const base = this.#base;
    const worse = levels.map((name, index) => [index, name]).slice(1);
    fill(
      $("rules"),
      createElement(
        "thead",
        {},
        createElement(
          "tr",
          {},
          createElement("th", { scope: "col" }, "Type"),
          worse.map(([index, name]) => createElement("th", { scope: "col" }, `Level ${index}`, createElement("small", {}, spelled(name)))),
        ),
      ),
      createElement(
        "tbody",
        {},
        types
          .filter((type) => type !== safe)
          .map((type) => createElement("tr", {}, this.#createSwitch(type, base), worse.map(([level]) => this.#createRule(type, level, base)))),
      ),
    );
  }

  #createSwitch(type, base) {
    const switchType = (event) => {
      for (const control of event.target.closest("tr").querySelectorAll("td input, td select")) control.disabled = !event.target.checked;
      this.#set("enabled", type, null, event.target.checked);
    };
    const box = createElement("input", { type: "checkbox", checked: base.enabled[type], onchange: switchType, "data-switch": type });
    return createElement("th", { scope: "row" }, createElement("label", {}, box, spelled(type)));
  }

  #createRule(type, level, base) {
    const threshold = base.thresholds[type][level];
    const named = `${spelled(type)}, level ${level}`;
    const slider = createElement("input", {
      type: "range", min: 0, max: 1000, value: toSlider(threshold), "aria-label": `Threshold for ${named}`,
      "aria-valuetext": precise(threshold), "data-threshold": `${type}.${level}`, disabled: !base.enabled[type],
    });
    const number = createElement("input", {
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
    const action = createElement(
      "select",
      {
        "aria-label": `Action for ${named}`, "data-action": `${type}.${level}`, disabled: !base.enabled[type],
        onchange: (event) => this.#set("actions", type, level, event.target.value),
      },
      ACTIONS.map((name) => createElement("option", { selected: name === base.actions[type][level] }, name)),
    );
    return createElement("td", {}, slider, createElement("div", { class: "pair" }, number, action));
  }

  #showChanges() {
    $("yaml").textContent = formatYaml(this.#changes);
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
      found = await fetchDecisions($("base").value, this.#changes, requests.map(({ views }) => views));
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
    const numChanged = requests.filter(({ decision }, index) => decision !== found[index].decision).length;
    $("change-count").textContent = `${numChanged} of ${requests.length} decisions would change`;
    $("change-count").dataset.any = String(numChanged > 0);
    const names = ["Images", "Prompt", "Decision", "With these rules"];
    fill(
      $("session"),
      createElement("thead", {}, createElement("tr", {}, names.map((name) => createElement("th", { scope: "col" }, name)))),
      createElement(
        "tbody",
        {},
        requests.map(({ prompt, urls, decision }, index) => {
          const { decision: other, type, level } = found[index];
          const changed = other !== decision;
          return createElement(
            "tr",
            { class: changed ? "changed" : null },
            createElement("td", { class: "small" }, urls.length ? urls.map((url) => createElement("img", { src: url, alt: "" })) : "none"),
            createElement("td", { class: "prompt" }, prompt),
            createElement("td", {}, createChip(decision)),
            createElement("td", {}, createChip(other), createElement("small", {}, changed ? "changes: " : "", level ? `${spelled(type)}, level ${level}` : "no level is reached")),
          );
        }).reverse(),
      ),
    );
  }
}

const createChip = (decision) => createElement("span", { class: "chip", "data-decision": decision }, DECISIONS[decision]);

function formatYaml(changes) {
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
