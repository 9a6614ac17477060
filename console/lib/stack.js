// Stack of this page, and its AWS endpoints. Read from `frontend.json`, and for a local platform also from `local.json`.

import { Problem, unreached } from "./problems.js";

const VERSION = 1;

export class Stack {
  constructor(frontend, local) {
    this.frontend = frontend;
    this.local = local;
    this.region = frontend.region;
  }

  // Return the endpoint of an AWS service.
  endpoint(service) {
    if (this.local) return this.local.endpoint;
    return `https://${service}.${this.region}.amazonaws.com${this.region.startsWith("cn-") ? ".cn" : ""}`;
  }

  // Return the URL of an object. The bucket is part of the host name on AWS, and of the path on the emulator.
  object(bucket, key, query = "") {
    const path = key.split("/").map(encodeURIComponent).join("/");
    const host = this.endpoint("s3");
    const root = this.local ? `${host}/${bucket}` : host.replace("https://", `https://${bucket}.`);
    return `${root}/${path}${query}`;
  }
}

export async function load() {
  const frontend = await json("frontend.json");
  if (!frontend) {
    throw new Problem("The file frontend.json is missing next to this page.", {
      todo: "Run pulumi stack output frontend > frontend.json, or run make up and then make console.",
    });
  }
  if (frontend.schemaVersion !== VERSION) {
    throw new Problem(`frontend.json has schemaVersion ${frontend.schemaVersion}, but this page reads version ${VERSION}.`, {
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
    // The error is thrown below.
  }
  throw new Problem(`${name} cannot be read: ${answer.ok ? "it is not JSON" : text || answer.status}.`, {
    todo: "Run make up and then make console, or write the file again.",
  });
}
