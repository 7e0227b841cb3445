// The images of a request, with the head's attention in colour over those in which something is risky.

import { $, createElement, fill, show } from "./dom.js";
import { colourMap } from "./colours.js";
import { describeRisk } from "./names.js";

// Shows the images of an explained turn.
export function showMaps(images, judgement) {
  const figures = images.map((image, index) => createFigure(image, judgement.images[index], index));
  fill($("maps"), figures);
  show($("map-controls"), $("maps").querySelector(".heat") !== null);
  showLettering(judgement.lettering ?? [], figures);
}

export function addOpacitySlider() {
  const setOpacity = () => {
    $("maps").style.setProperty("--opacity", String($("overlay").value / 100));
    $("overlay").setAttribute("aria-valuetext", `${$("overlay").value} %`);
  };
  $("overlay").addEventListener("input", setOpacity);
  setOpacity();
}

function createFigure(image, assessment, index) {
  const isRisky = Boolean(assessment?.level.index);
  const name = `Image ${index + 1}`;
  const picture = image.source
    ? createElement("img", { src: image.source, alt: image.alt })
    : createElement("span", { class: "remote" }, "The page does not load images from other sites.");
  const risk = isRisky ? describeRisk(assessment, Object.keys(assessment.level_scores)) : "nothing risky was found, so no map is drawn";
  const frame = createElement("div", { class: "picture" }, picture);
  if (isRisky && assessment.heatmap) frame.append(createMap(assessment.heatmap, `Attention of the guard in image ${index + 1}`));
  return createElement("figure", {}, frame, createElement("figcaption", {}, createElement("b", {}, `${name}: `), risk, "."));
}

function createMap(heatmap, label) {
  const canvas = createElement("canvas", { class: "heat", role: "img", "aria-label": label });
  colourMap(heatmap, canvas).catch(() => canvas.remove());
  return canvas;
}

// Lists the lettering that was read, and frames it in the images.
function showLettering(lettering, figures) {
  const lines = lettering.flatMap(({ image, lines: own }) => own.map((line) => ({ image, ...line })));
  for (const { image, box } of lines) figures[image]?.querySelector(".picture").append(createFrame(box));
  fill(
    $("lettering-lines"),
    lines.map(({ image, text }) => createElement("li", {}, text, figures.length > 1 && createElement("small", {}, `Image ${image + 1}`))),
  );
  show($("lettering"), lines.length > 0);
}

// Creates a frame around a part of an image, given in shares of its sides.
function createFrame([left, top, right, bottom]) {
  const frame = createElement("span", { class: "frame", "aria-hidden": "true" });
  const sides = { left, top, width: right - left, height: bottom - top };
  for (const [side, share] of Object.entries(sides)) frame.style.setProperty(side, `${100 * share}%`);
  return frame;
}
