// The tabs of the page, by pointer and by keyboard.

import { $, show } from "./dom.js";

const listTabs = () => [...document.querySelectorAll('[role="tab"]:not([hidden])')];

// Shows the panel of a tab; the tab gets the event `chosen`.
export function selectTab(tab) {
  for (const each of listTabs()) {
    const isChosen = each === tab;
    each.setAttribute("aria-selected", String(isChosen));
    each.tabIndex = isChosen ? 0 : -1;
    show($(each.getAttribute("aria-controls")), isChosen);
  }
  tab.dispatchEvent(new Event("chosen"));
}

export function addTabListeners() {
  for (const tab of listTabs()) {
    tab.addEventListener("click", () => selectTab(tab));
    tab.addEventListener("keydown", (event) => {
      const tabs = listTabs();
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const other = step ? tabs.at((tabs.indexOf(tab) + step) % tabs.length) : { Home: tabs[0], End: tabs.at(-1) }[event.key];
      if (!other) return;
      event.preventDefault();
      selectTab(other);
      other.focus();
    });
  }
}
