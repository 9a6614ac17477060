// List of the files that the visitor uploaded since the page was opened. It has totals by state, a filter, and pages, because a visitor may
// drop hundreds of files at once.

import { byId, el, setChildren } from "./dom.js";

const PAGE_SIZE = 10;

export class FileList {
  #groups; // the states that the list distinguishes, with their names, in order
  #entries = []; // newest first
  #page = 0;

  // Each entry has a `name`, a `group` (the key of one of `groups`) and a `node` (its element on the page).
  constructor(groups) {
    this.#groups = groups;
    setChildren(byId("files-state"), el("option", { value: "", text: "All" }), ...Object.entries(groups).map(([value, text]) => el("option", { value, text })));
    byId("files-filter").addEventListener("input", () => this.#showPage(0));
    byId("files-filter").addEventListener("submit", (event) => event.preventDefault());
    byId("files-newer").addEventListener("click", () => this.#showPage(this.#page - 1));
    byId("files-older").addEventListener("click", () => this.#showPage(this.#page + 1));
  }

  add(entry) {
    this.#entries.unshift(entry);
    this.draw();
  }

  clear() {
    this.#entries = [];
    [byId("files-named").value, byId("files-state").value] = ["", ""];
    this.#showPage(0);
  }

  draw() {
    byId("files-visit").hidden = !this.#entries.length;
    const counts = Object.keys(this.#groups).map((group) => [group, this.#entries.filter((entry) => entry.group === group).length]);
    const totals = counts.filter(([, count]) => count).map(([group, count]) => el("li", {}, el("strong", { text: String(count) }), ` ${this.#groups[group]}`));
    setChildren(byId("files-totals"), ...totals);
    const matching = this.#findMatching();
    const pageCount = Math.max(1, Math.ceil(matching.length / PAGE_SIZE));
    this.#page = Math.max(0, Math.min(this.#page, pageCount - 1));
    const start = this.#page * PAGE_SIZE;
    const visible = matching.slice(start, start + PAGE_SIZE).map((entry) => entry.node);
    const list = byId("files-list");
    // Elements that stay are not moved, because that would take the keyboard focus from their buttons.
    for (const node of [...list.children]) if (!visible.includes(node)) node.remove();
    visible.forEach((node, index) => { if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null); });
    byId("files-none").hidden = matching.length > 0;
    byId("files-filter").hidden = this.#entries.length <= 1;
    byId("files-pages").hidden = pageCount === 1;
    byId("files-newer").disabled = this.#page === 0;
    byId("files-older").disabled = this.#page === pageCount - 1;
    const text = `${start + 1} to ${start + visible.length} of ${matching.length}`;
    if (byId("files-page").textContent !== text) byId("files-page").textContent = text;
  }

  #findMatching() {
    const [named, group] = [byId("files-named").value.trim().toLowerCase(), byId("files-state").value];
    return this.#entries.filter((entry) => entry.name.toLowerCase().includes(named) && (!group || entry.group === group));
  }

  #showPage(page) {
    this.#page = page;
    this.draw();
  }
}
