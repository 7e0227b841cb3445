// Builds DOM elements without HTML strings, so text of a model or a user can never become markup.

export const $ = (id) => document.getElementById(id);

// Creates an element with attributes and children. Children that are not nodes become text; `on…` attributes are
// listeners; null is ignored.
export function createElement(tag, attributes = {}, ...children) {
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

// Announces a visible change to screen readers.
export function announce(text) {
  $("announcement").textContent = text;
}

export const percent = (share) =>
  `${(100 * share).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 })} %`;

// Formats thresholds, which lie close to 0 and 1, with enough digits to distinguish them from 0 and 1.
export const precise = (value) => {
  const distance = Math.min(value, 1 - value);
  const digits = distance <= 0 ? 2 : Math.min(6, Math.max(2, 1 - Math.floor(Math.log10(distance))));
  return value.toFixed(digits);
};

// Replaces the underscores in names of types and levels.
export const spelled = (name) => name.replaceAll("_", " ");
