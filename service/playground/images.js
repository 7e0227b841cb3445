// The images of the next question: dropped, pasted, chosen, photographed, named by an address, or of an example.

import { $, announce, createButton, createElement, fill, show } from "./dom.js";
import { ChosenImage } from "./session.js";

export class Images {
  #images = [];
  #limit;
  #countEarlier;
  #showProblem;

  // `countEarlier` counts the images of earlier turns, which are sent again with the next question.
  constructor({ limit, allowsAddresses, countEarlier, showProblem }) {
    this.#limit = limit;
    this.#countEarlier = countEarlier;
    this.#showProblem = showProblem;
    $("files-hint").textContent = `JPEG, PNG, WebP or GIF; up to ${limit} in a conversation. You can also drop or paste images.`;
    $("files").addEventListener("change", () => {
      this.addFiles([...$("files").files]);
      $("files").value = "";
    });
    this.#addDropListeners();
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.addFiles(files);
    });
    if (allowsAddresses) this.#addAddressListeners();
  }

  // Takes the images out of the form, for a question.
  take() {
    const taken = this.#images;
    this.replace([]);
    return taken;
  }

  get count() {
    return this.#images.length;
  }

  replace(images) {
    this.#images = images;
    this.#draw();
  }

  // The server validates files; the page rejects only files that are obviously not images.
  addFiles(files) {
    const images = files.filter((file) => file.type.startsWith("image/"));
    const problem = images.length < files.length ? "Only images are accepted." : null;
    this.#add(images.map((file) => new ChosenImage({ file })), problem);
  }

  // Returns whether there was room for all of them.
  #add(images, problem = null) {
    const earlier = this.#countEarlier();
    const room = Math.max(0, this.#limit - earlier - this.#images.length);
    const tooMany = `At most ${this.#limit} images are accepted in a conversation${earlier ? `, and it has ${earlier}` : ""}.`;
    this.#showProblem(problem ?? (images.length > room ? tooMany : null));
    const added = images.slice(0, room);
    this.#images.push(...added);
    this.#draw();
    if (added.length) announce(`${added.length === 1 ? added[0].name : `${added.length} images`} added`);
    return added.length === images.length;
  }

  #addDropListeners() {
    const form = $("ask");
    for (const type of ["dragenter", "dragover"]) {
      document.addEventListener(type, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        form.classList.add("over");
      });
    }
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) form.classList.remove("over");
    });
    document.addEventListener("drop", (event) => {
      form.classList.remove("over");
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      this.addFiles([...event.dataTransfer.files]);
    });
  }

  #addAddressListeners() {
    const add = () => {
      this.addAddress();
      $("address-field").focus();
    };
    show($("open-address"), true);
    $("address-add").addEventListener("click", add);
    $("address-field").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      add();
    });
  }

  // Adds the address in its field, if there is one; returns false if it cannot be added.
  addAddress() {
    const field = $("address-field");
    if (!field.value) return true;
    if (!field.reportValidity() || !this.#add([new ChosenImage({ url: field.value })])) return false;
    field.value = "";
    return true;
  }

  #remove(index) {
    const [image] = this.#images.splice(index, 1);
    this.#showProblem(null);
    this.#draw();
    ($("thumbs").querySelector("button") ?? $("files")).focus();
    announce(`${image.name} removed`);
  }

  #draw() {
    fill(
      $("thumbs"),
      this.#images.map((image, index) =>
        createElement(
          "li",
          {},
          createThumbnail(image),
          createButton({ "aria-label": `Remove ${image.name}`, title: "Remove", onclick: () => this.#remove(index) }, "×"),
        ),
      ),
    );
  }
}

// A small picture of an image; an address is shown as text, because the page loads nothing from other sites.
export function createThumbnail(image) {
  if (image.source) return createElement("img", { src: image.source, alt: image.alt });
  return createElement("span", { class: "remote", title: image.url }, image.url.replace(/^\w+:\/\//, ""));
}
