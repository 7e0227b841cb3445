// Elements by hand: text is only ever text here, so nothing that a model or a person writes can become markup.

export const $ = (id) => document.getElementById(id);

// An element with attributes and children; a child that is no node is text, `on…` is a listener, null is left out.
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "share") element.style.setProperty("--share", String(value));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function fill(target, ...children) {
  target.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

export function show(target, shown) {
  target.hidden = !shown;
}

// Tells a screen reader what the eye sees happen.
export function say(text) {
  $("said").textContent = text;
}

export const percent = (share) =>
  `${(100 * share).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 })} %`;

// Thresholds lie close to 0 and to 1: enough digits to tell them from these.
export const precise = (value) => {
  const distance = Math.min(value, 1 - value);
  const digits = distance <= 0 ? 2 : Math.min(6, Math.max(2, 1 - Math.floor(Math.log10(distance))));
  return value.toFixed(digits);
};

// Names of types and levels come with underscores.
export const spelled = (name) => name.replaceAll("_", " ");
