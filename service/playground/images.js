// The images of a request: dropped, pasted, chosen, or taken from the examples.

import { $, announce, createElement, fill } from "./dom.js";

export class Images {
  #files = [];
  #urls = new Map();
  #limit = 1;
  #showError;

  constructor(showError) {
    this.#showError = showError;
    const drop = $("drop");
    const input = $("files");
    input.addEventListener("change", () => {
      this.add([...input.files]);
      input.value = "";
    });
    for (const type of ["dragenter", "dragover"]) {
      document.addEventListener(type, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        drop.classList.add("over");
      });
    }
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) drop.classList.remove("over");
    });
    document.addEventListener("drop", (event) => {
      drop.classList.remove("over");
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      this.add([...event.dataTransfer.files]);
    });
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.add(files);
    });
  }

  get files() {
    return [...this.#files];
  }

  set limit(count) {
    this.#limit = count;
    $("files-hint").textContent = `JPEG, PNG, WebP or GIF; up to ${count}`;
  }

  // Creates the URL under which the page shows a file. It is never revoked, because the session's list still shows it.
  getUrl(file) {
    if (!this.#urls.has(file)) this.#urls.set(file, URL.createObjectURL(file));
    return this.#urls.get(file);
  }

  replace(files) {
    this.#files = [];
    this.add(files);
  }

  // The server validates files; the page rejects only files that are obviously not images.
  add(files) {
    const images = files.filter((file) => file.type.startsWith("image/"));
    const room = this.#limit - this.#files.length;
    if (images.length < files.length) this.#showError("Only images are accepted.");
    else if (images.length > room) this.#showError(`At most ${this.#limit} images are accepted.`);
    else this.#showError(null);
    this.#files.push(...images.slice(0, Math.max(0, room)));
    this.#draw();
    if (images.length) announce(`${this.#files.length} chosen`);
  }

  #remove(index) {
    const [file] = this.#files.splice(index, 1);
    this.#showError(null);
    this.#draw();
    ($("thumbs").querySelector("button") ?? $("files")).focus();
    announce(`${file.name} removed`);
  }

  #draw() {
    fill(
      $("thumbs"),
      this.#files.map((file, index) =>
        createElement(
          "li",
          {},
          createElement("img", { src: this.getUrl(file), alt: file.name }),
          createElement(
            "button",
            { type: "button", "aria-label": `Remove ${file.name}`, title: "Remove", onclick: () => this.#remove(index) },
            "×",
          ),
        ),
      ),
    );
  }
}
