// Timeline with rows of marks. Each mark is a button.

import { el } from "./dom.js";
import { clock } from "./words.js";

const NARROWEST = 1.5; // percent of the width, so that a finger can hit a mark

// Create a timeline. Each mark has `startMs`, `endMs`, `row`, `kind` and `label`. `chosen` is called with the selected mark.
export function timeline(marks, rows, chosen) {
  const length = Math.max(1000, ...marks.map((mark) => mark.endMs));
  const part = (ms) => (ms / length) * 100;
  const tracks = rows.map((name, row) => {
    const track = el("div", { class: "track" });
    for (const mark of marks.filter((candidate) => candidate.row === row)) {
      const button = el("button", { type: "button", class: `mark ${mark.kind}`, "aria-label": mark.label, title: mark.label, onclick: () => chosen(mark) });
      button.style.left = `${Math.min(part(mark.startMs), 100 - NARROWEST)}%`;
      button.style.width = `${Math.max(part(mark.endMs - mark.startMs), NARROWEST)}%`;
      track.append(button);
    }
    return el("div", { class: "row" }, el("span", { class: "label", text: name }), track);
  });
  const scale = el("div", { class: "scale", "aria-hidden": "true" }, ...[0, 0.5, 1].map((share) => el("span", { text: clock(length * share) })));
  return el("div", { class: "timeline", role: "group", "aria-label": "Timeline" }, ...tracks, scale);
}
