// Cards of whole policies to try, before any single threshold. One of them can be chosen, like a radio button.

import { $, createElement, fill, show } from "./dom.js";

export class PresetCards {
  #cards;

  // `onChoose` gets the changes of the chosen preset.
  constructor(presets, onChoose) {
    this.#cards = presets.map((preset) => ({ preset, input: createInput(preset, onChoose) }));
    fill($("presets"), this.#cards.map(({ preset, input }) => createCard(preset, input)));
    show(document.querySelector(".presets"), presets.length > 0);
  }

  // Marks the preset that changes nothing, or none, if single rules were changed.
  mark({ isUnchanged }) {
    for (const { preset, input } of this.#cards) input.checked = isUnchanged && changesNothing(preset);
  }
}

const changesNothing = ({ changes }) => Object.values(changes).every((types) => !Object.keys(types).length);

function createInput({ name, changes }, onChoose) {
  return createElement("input", { type: "radio", name: "preset", value: name, onchange: () => onChoose(changes) });
}

function createCard({ title, description }, input) {
  return createElement(
    "label",
    { class: "preset" },
    input,
    createElement("span", {}, createElement("b", {}, title), createElement("small", {}, description)),
  );
}
