// Which stack this page is of, and where its AWS is: `frontend.json`, and beside a local platform `local.json`.

import { Problem, unreached } from "./problems.js";

const VERSION = 1;

export class Stack {
  constructor(frontend, local) {
    this.frontend = frontend;
    this.local = local;
    this.region = frontend.region;
  }

  // Where a service of AWS answers.
  endpoint(service) {
    if (this.local) return this.local.endpoint;
    return `https://${service}.${this.region}.amazonaws.com${this.region.startsWith("cn-") ? ".cn" : ""}`;
  }

  // An object's address; buckets are hosts, but for the emulator's.
  object(bucket, key, query = "") {
    const path = key.split("/").map(encodeURIComponent).join("/");
    const host = this.endpoint("s3");
    const begun = this.local ? `${host}/${bucket}` : host.replace("https://", `https://${bucket}.`);
    return `${begun}/${path}${query}`;
  }
}

export async function load() {
  const frontend = await json("frontend.json");
  if (!frontend) {
    throw new Problem("There is no frontend.json beside this page.", {
      todo: "Put the stack's output there: pulumi stack output frontend > frontend.json; or run make up, then make console.",
    });
  }
  if (frontend.schemaVersion !== VERSION) {
    throw new Problem(`frontend.json has schemaVersion ${frontend.schemaVersion}, this page reads ${VERSION}.`, {
      todo: "Use the page and the output of the same version.",
    });
  }
  return new Stack(frontend, frontend.environment === "local" ? await json("local.json") : null);
}

async function json(name) {
  let answer;
  try {
    answer = await fetch(name, { cache: "no-store" });
  } catch {
    throw unreached(name);
  }
  if (answer.status === 404) return null;
  const text = await answer.text();
  try {
    if (answer.ok) return JSON.parse(text);
  } catch {
    // Told below.
  }
  throw new Problem(`${name} cannot be read: ${answer.ok ? "it is no JSON" : text || answer.status}.`, {
    todo: "Run make up, then make console; or write the file anew.",
  });
}
