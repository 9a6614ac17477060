// The Pulumi stack that this page uses, and its AWS endpoints. The file `frontend.json` contains the stack's output `frontend`. For a local
// platform there is also `local.json`.

import { Problem, unreachableProblem } from "./problems.js";

const SCHEMA_VERSION = 1;

export class Stack {
  constructor(frontend, local) {
    this.frontend = frontend;
    this.local = local;
    this.region = frontend.region;
  }

  endpoint(service) {
    if (this.local) return this.local.endpoint;
    return `https://${service}.${this.region}.amazonaws.com${this.region.startsWith("cn-") ? ".cn" : ""}`;
  }

  // Return the URL of an object. The bucket is part of the host name on AWS, and of the path on the emulator.
  objectUrl(bucket, key) {
    const path = key.split("/").map(encodeURIComponent).join("/");
    const host = this.endpoint("s3");
    const root = this.local ? `${host}/${bucket}` : host.replace("https://", `https://${bucket}.`);
    return `${root}/${path}`;
  }
}

export async function loadStack() {
  const frontend = await readJson("frontend.json");
  if (!frontend) {
    throw new Problem("The file frontend.json is missing next to this page.", {
      todo: "Run pulumi stack output frontend > frontend.json, or run make up and then make console.",
    });
  }
  if (frontend.schemaVersion !== SCHEMA_VERSION) {
    throw new Problem(`frontend.json has schemaVersion ${frontend.schemaVersion}, but this page reads version ${SCHEMA_VERSION}.`, {
      todo: "Use a page and a frontend.json of the same release.",
    });
  }
  return new Stack(frontend, frontend.environment === "local" ? await readJson("local.json") : null);
}

async function readJson(name) {
  let response;
  try {
    response = await fetch(name, { cache: "no-store" });
  } catch {
    throw unreachableProblem(name);
  }
  if (response.status === 404) return null;
  const text = await response.text();
  try {
    if (response.ok) return JSON.parse(text);
  } catch {
    // The error is thrown below.
  }
  throw new Problem(`${name} cannot be read: ${response.ok ? "it is not JSON" : text || response.status}.`, {
    todo: "Run make up and then make console, or write the file again.",
  });
}
