// A timeline: marks in rows over the whole length, each a button that leads to what it stands for.

import { el } from "./dom.js";
import { clock } from "./words.js";

const NARROWEST = 1.5; // percent: a mark has to be hit with a finger

// `marks` have `startMs`, `endMs`, `row`, `kind`, `label`; `chosen` hears which one was.
export function timeline(marks, rows, chosen) {
  const length = Math.max(1000, ...marks.map((one) => one.endMs));
  const part = (ms) => (ms / length) * 100;
  const tracks = rows.map((name, row) => {
    const track = el("div", { class: "track" });
    for (const one of marks.filter((mark) => mark.row === row)) {
      const button = el("button", { type: "button", class: `mark ${one.kind}`, "aria-label": one.label, title: one.label, onclick: () => chosen(one) });
      button.style.left = `${Math.min(part(one.startMs), 100 - NARROWEST)}%`;
      button.style.width = `${Math.max(part(one.endMs - one.startMs), NARROWEST)}%`;
      track.append(button);
    }
    return el("div", { class: "row" }, el("span", { class: "label", text: name }), track);
  });
  const scale = el("div", { class: "scale", "aria-hidden": "true" }, ...[0, 0.5, 1].map((share) => el("span", { text: clock(length * share) })));
  return el("div", { class: "timeline", role: "group", "aria-label": "Timeline" }, ...tracks, scale);
}
