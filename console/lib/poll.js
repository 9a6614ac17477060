// Polling for the result of a backend's work, such as the processing of a file.

import { pauses, sleep } from "./pauses.js";
import { Problem, showProblem } from "./problems.js";

// Call `check` with growing pauses until it returns true or `isWanted` returns false. Show an error in `node` while it lasts. After a
// permanent error, wait until the visitor signs in again.
export async function poll(visitor, node, isWanted, check) {
  let isFailing = false;
  for (const pause of pauses()) {
    const { signInCount } = visitor;
    let isTransient = true;
    try {
      const isDone = await check();
      if (!isWanted()) return;
      if (isFailing) showProblem(node, null);
      isFailing = false;
      if (isDone) return;
    } catch (failure) {
      if (!isWanted()) return;
      if (!(failure instanceof Problem)) throw failure;
      showProblem(node, failure);
      isFailing = true;
      isTransient = failure.retryable;
    }
    if (isTransient) await sleep(pause);
    else if (signInCount === visitor.signInCount) await nextSignIn(visitor);
    if (!isWanted()) return;
  }
}

const nextSignIn = (visitor) => new Promise((resolve) => visitor.addEventListener("signin", resolve, { once: true }));
