// Builds DOM elements without HTML strings, so text of a model or a user can never become markup.

export const $ = (id) => document.getElementById(id);

const isPresent = (child) => child !== null && child !== undefined && child !== false;

// Creates an element with attributes and children. Children that are not nodes become text; `on…` attributes are
// listeners; names that begin with `--` are custom properties of its style; absent values are ignored.
export function createElement(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (!isPresent(value)) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) element.style.setProperty(name, String(value));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter(isPresent));
  return element;
}

export function createButton(attributes, ...children) {
  return createElement("button", { type: "button", ...attributes }, ...children);
}

// Copies one of the icons in the page's templates.
export const createIcon = (name) => $(`icon-${name}`).content.cloneNode(true);

export function createRow(cells, tag = "th", attributes = { scope: "col" }) {
  return createElement("tr", {}, cells.map((cell) => createElement(tag, attributes, cell)));
}

export function fill(target, ...children) {
  target.replaceChildren(...children.flat().filter(isPresent));
}

export function show(target, shown) {
  target.hidden = !shown;
}

// Announces a change to screen readers. The same text twice in a row is announced twice.
export function announce(text) {
  const target = $("announcement");
  target.textContent = target.textContent === text ? `${text}\u00a0` : text;
}

// Opens a dialog of the page; its button with the class `close` closes it, and the browser moves the focus back.
export function openDialog(dialog) {
  dialog.querySelector(".close").onclick = () => dialog.close();
  dialog.showModal();
}
