// Elements, made without markup: text is only ever text, whoever wrote it.

export const byId = (id) => document.getElementById(id);

// An element with properties (`class`, `text`, `onclick`, `aria-…`, any attribute) and children.
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") made.textContent = value;
    else if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((one) => one !== null && one !== undefined));
  return made;
}

export const clear = (node, ...children) => node.replaceChildren(...children.filter(Boolean));

// Brings what was asked for before the visitor's eyes, and their keyboard to it.
export function bring(node) {
  node.focus({ preventScroll: true });
  const { top } = node.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) node.scrollIntoView({ block: "start" });
}

// Takes out of a player what it plays.
export function silence(player) {
  player.hidden = true;
  player.removeAttribute("src");
  player.load();
}

// A word on a coloured ground; what it means is said by the word alone.
export const badge = (text, kind = "plain") => el("span", { class: `badge ${kind}`, text });

// How far something has come, for eyes and for readers.
export function progress(label) {
  const bar = el("progress", { max: "1", value: "0", "aria-label": label });
  return { bar, to: (share) => { bar.value = share; } };
}

// Steps of which some are done: `at` is the current one's place, `failed` marks it.
export function steps(names, at, failed = false) {
  const list = el("ol", { class: "steps" });
  names.forEach((name, place) => {
    const state = place < at ? "done" : place === at ? (failed ? "failed" : "now") : "";
    const said = { done: ", done", now: ", now", failed: ", failed" }[state] ?? "";
    list.append(el("li", { class: state }, name, el("span", { class: "unseen", text: said })));
  });
  return list;
}

// Says something to screen readers, politely; one region a page, so that nothing is said twice.
export function say(text) {
  const region = byId("spoken");
  region.append(el("p", { text }));
  while (region.childElementCount > 20) region.firstElementChild.remove();
}
