// Timeline with rows of marks. Each mark is a button.

import { el } from "./dom.js";
import { formatTime } from "./format.js";

const MIN_WIDTH = 1.5; // percent of the width, so that a finger can hit a mark

// Create a timeline. Each mark has `startMs`, `endMs`, `row`, `kind` and `label`. `onSelect` is called with the selected mark.
export function timeline(marks, rows, onSelect) {
  const length = Math.max(1000, ...marks.map((mark) => mark.endMs));
  const toPercent = (ms) => (ms / length) * 100;
  const tracks = rows.map((name, row) => {
    const track = el("div", { class: "track" });
    for (const mark of marks.filter((candidate) => candidate.row === row)) {
      const button = el("button", { type: "button", class: `mark ${mark.kind}`, "aria-label": mark.label, title: mark.label, onclick: () => onSelect(mark) });
      button.style.left = `${Math.min(toPercent(mark.startMs), 100 - MIN_WIDTH)}%`;
      button.style.width = `${Math.max(toPercent(mark.endMs - mark.startMs), MIN_WIDTH)}%`;
      track.append(button);
    }
    return el("div", { class: "row" }, el("span", { class: "label", text: name }), track);
  });
  const scale = el("div", { class: "scale", "aria-hidden": "true" }, ...[0, 0.5, 1].map((share) => el("span", { text: formatTime(length * share) })));
  return el("div", { class: "timeline", role: "group", "aria-label": "Timeline" }, ...tracks, scale);
}
