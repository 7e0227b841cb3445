// The table of a policy's rules: a switch for each type, a threshold and an action for each of its levels.

import { $, createElement, createRow, fill } from "./dom.js";
import { precise } from "./format.js";
import { ACTIONS, mentionType, nameLevel, nameType } from "./names.js";

const STEEPNESS = 8; // thresholds lie close to 0 and 1, so a slider sets their log-odds, from -8 to 8

const toSlider = (threshold) => {
  const inside = Math.min(1 - 1e-4, Math.max(1e-4, threshold));
  return Math.round((500 * (Math.log(inside / (1 - inside)) + STEEPNESS)) / STEEPNESS);
};
const fromSlider = (position) => Number(precise(1 / (1 + Math.exp(-((position / 500) * STEEPNESS - STEEPNESS)))));

// Draws the rules of a policy with changes. `onChange` gets field, type, level (null for a switch) and value.
export function drawRules(server, base, changes, onChange) {
  const worse = server.levels.map((name, index) => ({ name, level: String(index) })).slice(1);
  const types = server.types.filter((type) => type !== server.safe_type);
  const read = (field, type, level = null) => {
    const [changed, old] = [changes[field]?.[type], base[field][type]];
    return level === null ? (changed ?? old) : (changed?.[level] ?? old[level]);
  };
  const titles = worse.map(({ name, level }) => `${nameLevel(name)} (level ${level})`);
  const createTypeRow = (type) => {
    const isEnabled = read("enabled", type);
    const cells = worse.map(({ level }) => {
      const [threshold, action] = [read("thresholds", type, level), read("actions", type, level)];
      return createRule({ type, level, isEnabled, threshold, action }, base, onChange);
    });
    return createElement("tr", {}, createSwitch(type, isEnabled, onChange), cells);
  };
  fill(
    $("rules"),
    createElement("thead", {}, createRow(["Kind of risk", ...titles])),
    createElement("tbody", {}, types.map(createTypeRow)),
  );
}

function createSwitch(type, isEnabled, onChange) {
  const toggle = (event) => {
    const controls = event.target.closest("tr").querySelectorAll("td input, td select");
    for (const control of controls) control.disabled = !event.target.checked;
    onChange("enabled", type, null, event.target.checked);
  };
  const box = createElement("input", { type: "checkbox", checked: isEnabled, onchange: toggle, "data-switch": type });
  return createElement("th", { scope: "row" }, createElement("label", {}, box, nameType(type)));
}

function createRule({ type, level, isEnabled, threshold, action }, base, onChange) {
  const named = `${mentionType(type)}, level ${level}`;
  const disabled = !isEnabled;
  const slider = createElement("input", {
    type: "range", min: 0, max: 1000, value: toSlider(threshold), "aria-label": `Threshold for ${named}`,
    "aria-valuetext": precise(threshold), "data-threshold": `${type}.${level}`, disabled,
  });
  const number = createElement("input", {
    type: "number", min: 0, step: "any", value: precise(threshold), "aria-label": `Threshold for ${named} as a number`,
    "data-number": `${type}.${level}`, disabled,
  });
  slider.addEventListener("input", () => {
    const value = fromSlider(Number(slider.value));
    number.value = precise(value);
    slider.setAttribute("aria-valuetext", precise(value));
    onChange("thresholds", type, level, value);
  });
  number.addEventListener("input", () => {
    if (number.value === "" || !number.checkValidity()) return;
    // The field shows fewer digits than the policy has; an unchanged field keeps the policy's value.
    const old = base.thresholds[type][level];
    const value = number.value === precise(old) ? old : Number(number.value);
    slider.value = toSlider(value);
    slider.setAttribute("aria-valuetext", precise(value));
    onChange("thresholds", type, level, value);
  });
  const actions = createElement(
    "select",
    {
      "aria-label": `Action for ${named}`, "data-action": `${type}.${level}`, disabled,
      onchange: (event) => onChange("actions", type, level, event.target.value),
    },
    Object.entries(ACTIONS).map(([value, label]) => createElement("option", { value, selected: value === action }, label)),
  );
  return createElement("td", {}, slider, createElement("div", { class: "pair" }, number, actions));
}
