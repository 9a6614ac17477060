// Polling of work that a backend does.

import { Problem, show } from "./problems.js";
import { pauses, sleep } from "./words.js";

// Call `look` with growing pauses until it returns true or `isWanted` returns false. Show an error in `node` while it lasts. After a
// permanent error, wait until the visitor signs in again.
export async function watch(visitor, node, isWanted, look) {
  let failed = false;
  for (const pause of pauses()) {
    const { visits } = visitor;
    let isTransient = true;
    try {
      const ended = await look();
      if (!isWanted()) return;
      if (failed) show(node, null);
      failed = false;
      if (ended) return;
    } catch (failure) {
      if (!isWanted()) return;
      if (!(failure instanceof Problem)) throw failure;
      show(node, failure);
      failed = true;
      isTransient = failure.retryable;
    }
    if (isTransient) await sleep(pause);
    else if (visits === visitor.visits) await changed(visitor);
    if (!isWanted()) return;
  }
}

const changed = (visitor) => new Promise((resolve) => visitor.addEventListener("change", resolve, { once: true }));
