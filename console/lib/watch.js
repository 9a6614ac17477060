// Looks after something that is being done elsewhere.

import { Problem, show } from "./problems.js";
import { pauses, sleep } from "./words.js";

// Looks again, seldomer the longer it takes, until `look` gives true or nobody wants to know any more. What goes wrong is shown in `node`
// for as long as it lasts: what does not pass by itself, until the visitor has something else to ask with.
export async function watch(visitor, node, isWanted, look) {
  let failed = false;
  for (const pause of pauses()) {
    const { visits } = visitor;
    let passes = true;
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
      passes = failure.retryable;
    }
    if (passes) await sleep(pause);
    else if (visits === visitor.visits) await changed(visitor);
    if (!isWanted()) return;
  }
}

const changed = (visitor) => new Promise((resolve) => visitor.addEventListener("change", resolve, { once: true }));
