// Timeline with rows of marks. Each mark is a button. Marks that would overlap are placed in several lanes of their row.

import { el } from "./dom.js";
import { formatTime } from "./format.js";

const MIN_WIDTH = 5; // percent of the width, so that a finger can hit a mark
const LANE_HEIGHT = 1.75; // rem

// Create a timeline. Each mark has `startMs`, `endMs`, `row`, `kind` and `label`. `onSelect` is called with the selected mark.
export function timeline(marks, rows, onSelect) {
  const length = Math.max(1000, ...marks.map((mark) => mark.endMs));
  const toPercent = (ms) => (ms / length) * 100;
  const tracks = rows.map((name, row) => {
    const track = el("div", { class: "track" });
    const laneEnds = []; // by lane: end of its last mark, in percent
    for (const mark of marks.filter((candidate) => candidate.row === row).toSorted((first, second) => first.startMs - second.startMs)) {
      const left = Math.min(toPercent(mark.startMs), 100 - MIN_WIDTH);
      const width = Math.max(toPercent(mark.endMs - mark.startMs), MIN_WIDTH);
      const freeLane = laneEnds.findIndex((end) => end <= left);
      const lane = freeLane < 0 ? laneEnds.length : freeLane;
      laneEnds[lane] = left + width;
      const button = el("button", { type: "button", class: `mark ${mark.kind}`, "aria-label": mark.label, title: mark.label, onclick: () => onSelect(mark) });
      Object.assign(button.style, { left: `${left}%`, width: `${width}%`, top: `${lane * LANE_HEIGHT + 0.25}rem`, height: `${LANE_HEIGHT - 0.25}rem` });
      track.append(button);
    }
    track.style.height = `${Math.max(1, laneEnds.length) * LANE_HEIGHT + 0.25}rem`;
    return el("div", { class: "row" }, el("span", { class: "label", text: name }), track);
  });
  const scale = el("div", { class: "scale", "aria-hidden": "true" }, ...[0, 0.5, 1].map((share) => el("span", { text: formatTime(length * share) })));
  return el("div", { class: "timeline", role: "group", "aria-label": "Timeline" }, ...tracks, scale);
}
