// Tabs with keyboard control (arrow keys, Home, End). The URL fragment names the selected tab.

import { byId } from "./dom.js";

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export function setUpTabs(names, onSelect) {
  const select = (name, { focus = false } = {}) => {
    for (const tabName of names) {
      const [tab, panel] = [byId(`tab-${tabName}`), byId(`panel-${tabName}`)];
      const isSelected = tabName === name;
      tab.setAttribute("aria-selected", String(isSelected));
      tab.tabIndex = isSelected ? 0 : -1;
      panel.hidden = !isSelected;
      if (isSelected && focus) tab.focus();
    }
    history.replaceState(null, "", `#${name}`);
    onSelect(name);
  };
  names.forEach((name, index) => {
    const tab = byId(`tab-${name}`);
    tab.addEventListener("click", () => select(name));
    tab.addEventListener("keydown", (event) => {
      const last = names.length - 1;
      const target = { Home: 0, End: last }[event.key] ?? (STEPS[event.key] ? (index + STEPS[event.key] + names.length) % names.length : null);
      if (target === null) return;
      event.preventDefault();
      select(names[target], { focus: true });
    });
  });
  const findNamedTab = () => names.find((name) => `#${name}` === location.hash);
  addEventListener("hashchange", () => findNamedTab() && select(findNamedTab()));
  select(findNamedTab() ?? names[0]);
}
