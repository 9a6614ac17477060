// Formatting of times, sizes and lists for the visitor.

// Format milliseconds as 1:02 or 1:01:02.
export function clock(ms) {
  const all = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let [number, unit] = [bytes, 0];
  while (number >= 1000 && unit < units.length - 1) [number, unit] = [number / 1000, unit + 1];
  return `${unit && number < 10 ? number.toFixed(1) : Math.round(number)} ${units[unit]}`;
}

export const day = (iso) => new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

// Split a comma-separated text.
export const list = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);

// Yield growing pauses in milliseconds.
export function* pauses(first = 600, longest = 15000, growth = 1.2) {
  for (let pause = first; ; pause = Math.min(pause * growth, longest)) yield pause;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
