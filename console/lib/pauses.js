// Pauses between requests.

// Yield growing pauses in milliseconds.
export function* pauses(first = 600, max = 15000, growth = 1.2) {
  for (let pause = first; ; pause = Math.min(pause * growth, max)) yield pause;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
