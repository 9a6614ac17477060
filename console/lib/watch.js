// Looks after something that is being done elsewhere.

import { show } from "./problems.js";
import { pauses, sleep } from "./words.js";

// Looks again, seldomer the longer it takes, until `look` gives true or nobody wants to know any more. What passes is shown in `node`
// for as long as it lasts.
export async function watch(node, isWanted, look) {
  let failed = false;
  for (const pause of pauses()) {
    try {
      const ended = await look();
      if (!isWanted()) return;
      if (failed) show(node, null);
      failed = false;
      if (ended) return;
    } catch (failure) {
      if (!isWanted()) return;
      if (!failure.retryable) throw failure;
      show(node, failure);
      failed = true;
    }
    await sleep(pause);
    if (!isWanted()) return;
  }
}
