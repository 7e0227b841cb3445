// The images of a request: dropped, pasted, chosen, or taken from the examples.

import { $, el, fill, say } from "./dom.js";

export class Pictures {
  #files = [];
  #urls = new Map();
  #most = 1;
  #complain;

  constructor(complain) {
    this.#complain = complain;
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

  set most(count) {
    this.#most = count;
    $("files-hint").textContent = `JPEG, PNG, WebP or GIF; up to ${count}`;
  }

  // Creates the URL under which the page shows a file. It is never revoked, because the session's list still shows it.
  url(file) {
    if (!this.#urls.has(file)) this.#urls.set(file, URL.createObjectURL(file));
    return this.#urls.get(file);
  }

  replace(files) {
    this.#files = [];
    this.add(files);
  }

  // The server validates files; the page rejects only files that are obviously not images.
  add(files) {
    const pictures = files.filter((file) => file.type.startsWith("image/"));
    const room = this.#most - this.#files.length;
    if (pictures.length < files.length) this.#complain("Only images are accepted.");
    else if (pictures.length > room) this.#complain(`At most ${this.#most} images are accepted.`);
    else this.#complain(null);
    this.#files.push(...pictures.slice(0, Math.max(0, room)));
    this.#draw();
    if (pictures.length) say(`${this.#files.length} chosen`);
  }

  #remove(index) {
    const [file] = this.#files.splice(index, 1);
    this.#complain(null);
    this.#draw();
    ($("thumbs").querySelector("button") ?? $("files")).focus();
    say(`${file.name} removed`);
  }

  #draw() {
    fill(
      $("thumbs"),
      this.#files.map((file, index) =>
        el(
          "li",
          {},
          el("img", { src: this.url(file), alt: file.name }),
          el(
            "button",
            { type: "button", "aria-label": `Remove ${file.name}`, title: "Remove", onclick: () => this.#remove(index) },
            "×",
          ),
        ),
      ),
    );
  }
}
