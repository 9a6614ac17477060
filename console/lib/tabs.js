// Tabs with keyboard control (arrow keys, Home, End). The URL fragment names the selected tab.

import { byId } from "./dom.js";

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export function tabs(names, shown) {
  const select = (name, { focus = false } = {}) => {
    for (const other of names) {
      const [tab, panel] = [byId(`tab-${other}`), byId(`panel-${other}`)];
      const here = other === name;
      tab.setAttribute("aria-selected", String(here));
      tab.tabIndex = here ? 0 : -1;
      panel.hidden = !here;
      if (here && focus) tab.focus();
    }
    history.replaceState(null, "", `#${name}`);
    shown(name);
  };
  names.forEach((name, place) => {
    const tab = byId(`tab-${name}`);
    tab.addEventListener("click", () => select(name));
    tab.addEventListener("keydown", (event) => {
      const last = names.length - 1;
      const to = { Home: 0, End: last }[event.key] ?? (STEPS[event.key] ? (place + STEPS[event.key] + names.length) % names.length : null);
      if (to === null) return;
      event.preventDefault();
      select(names[to], { focus: true });
    });
  });
  const named = () => names.find((name) => `#${name}` === location.hash);
  addEventListener("hashchange", () => named() && select(named()));
  select(named() ?? names[0]);
}
