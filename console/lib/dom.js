// Helpers that create and change page elements. They never parse markup, so text from outside stays text.

export const byId = (id) => document.getElementById(id);

// Create an element with properties (`class`, `text`, `onclick`, `aria-…`, any attribute) and children.
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const setChildren = (node, ...children) => node.replaceChildren(...children.filter(Boolean));

// Move the keyboard focus to an element and scroll to it if it is not in the upper half of the window.
export function focusAndScroll(node) {
  node.focus({ preventScroll: true });
  const { top } = node.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) node.scrollIntoView({ block: "start" });
}

export function unloadPlayer(player) {
  player.hidden = true;
  player.removeAttribute("src");
  player.load();
}

// Create a coloured badge. Its text alone must carry the meaning, for visitors who do not see the colour.
export const badge = (text, kind = "plain") => el("span", { class: `badge ${kind}`, text });

// Create a progress bar. `setShare` sets its share from 0 to 1.
export function progress(label) {
  const bar = el("progress", { max: "1", value: "0", "aria-label": label });
  return { bar, setShare: (share) => { bar.value = share; } };
}

// Create a list of steps. `current` is the index of the current step; if it is the number of steps, all of them are done.
export function steps(names, current) {
  const list = el("ol", { class: "steps" });
  names.forEach((name, index) => {
    const state = index < current ? "done" : index === current ? "now" : "";
    const spokenState = { done: ", done", now: ", now" }[state] ?? "";
    list.append(el("li", { class: state }, name, el("span", { class: "unseen", text: spokenState })));
  });
  return list;
}

// Announce a text to screen readers. The whole page shares one live region, so no text is announced twice.
export function announce(text) {
  const region = byId("spoken");
  region.append(el("p", { text }));
  while (region.childElementCount > 20) region.firstElementChild.remove();
}
