// How long each stage of a request took.

import { $, createElement, fill } from "./dom.js";
import { formatMs } from "./format.js";

const STAGES = { decode_ms: "Decode", queue_ms: "Wait", guard_ms: "Guard", generate_ms: "Generate" };

export function showTimings(timings) {
  const stages = Object.entries(STAGES)
    .filter(([key]) => key in timings)
    .map(([key, name]) => ({ key: key.replace("_ms", ""), name, ms: timings[key] }));
  const whole = stages.reduce((sum, { ms }) => sum + ms, 0);
  fill($("time-bar"), stages.map(({ key, ms }) => createElement("span", { class: key, "--share": ms })));
  fill(
    $("time-list"),
    stages.map(({ key, name, ms }) =>
      createElement("li", {}, createElement("span", { class: `swatch ${key}` }), name, createElement("b", {}, formatMs(ms))),
    ),
    createElement("li", { class: "whole" }, "Total", createElement("b", {}, formatMs(whole))),
  );
  $("time-note").textContent =
    timings.guard_ms === 0 ? "The verdict came from the cache, because the same request was judged before." : "";
}
