// Functions that only exist on the local platform, where the console's server (`make console`) provides them: sample files, rows of the data
// lake, and processing of the waiting files at once.

import { Problem, unreachableProblem } from "./problems.js";

export const ENGLISH_ONLY = "The local platform understands only English speech. Try the sample.";

// Show the elements that only make sense with the local platform, and hide those for stacks on AWS.
export function showLocalParts(stack) {
  for (const node of document.querySelectorAll("[data-stack]")) node.hidden = node.dataset.stack !== (stack.local ? "local" : "aws");
}

export async function fetchSample(name) {
  const response = await request(`samples/${name}`);
  return new File([await response.blob()], name, { type: response.headers.get("Content-Type") });
}

// Return the first rows of a file (`rows`) and the number of all its rows (`total`).
export const fetchRows = async (file) => (await request(`rows.json?${new URLSearchParams(file)}`)).json();

// Let ingestion process the waiting files now. In the response, `manifests` is the number of full groups of files, and `files` the number of
// files in groups that are not full.
export const flushFiles = async () => (await request("flush", { method: "POST" })).json();

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw unreachableProblem(path);
  }
  if (!response.ok) throw new Problem(await response.text(), { status: response.status });
  return response;
}
