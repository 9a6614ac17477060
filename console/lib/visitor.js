// Signed-in visitor. The tokens and AWS credentials that the visitor enters are kept here in memory, and never stored, shown or logged.

import { Problem, unreachableProblem } from "./problems.js";

const RENEWAL_MARGIN_MS = 5 * 60 * 1000;

export class Visitor extends EventTarget {
  #stack;
  #token = "";
  #expiresAt = 0;
  #credentials = null;
  #user = ""; // issuer and subject of the token
  signInCount = 0; // number of sign-ins; what was requested before a sign-in, for example credentials, is not used after it
  userChangeCount = 0; // number of changes of the user; results and uploads of one user never continue under another

  constructor(stack) {
    super();
    this.#stack = stack;
    this.name = stack.local?.subject ?? "";
    this.#credentials = stack.local?.credentials ?? null;
  }

  // Return a token of the identity provider. The local provider signs a token for any name.
  async token() {
    if (!this.#stack.local) {
      if (this.#token) return this.#token;
      throw new Problem("A token is required.", { code: "TOKEN_REFUSED", todo: "Sign in at the top." });
    }
    if (this.#token && Date.now() < this.#expiresAt - RENEWAL_MARGIN_MS) return this.#token;
    const [url, name] = [this.#stack.local.login, this.name];
    let answer;
    try {
      // Sent as plain text, because the provider does not answer the preflight request that JSON would need.
      answer = await fetch(url, { method: "POST", body: JSON.stringify({ subject: name }) });
    } catch {
      throw unreachableProblem(url);
    }
    const body = await answer.json();
    if (name !== this.name) return this.token(); // Another user has signed in meanwhile.
    if (!answer.ok) throw new Problem(body.message, { todo: "Sign in at the top under another name." });
    this.#setToken(body.id_token);
    return this.#token;
  }

  // Return the token, or an empty string if there is none.
  async tokenIfAny() {
    return this.#stack.local || this.#token ? this.token() : "";
  }

  // AWS credentials that the visitor entered, or those of the local platform.
  get credentials() {
    if (this.#credentials) return this.#credentials;
    throw new Problem("AWS credentials are required.", { todo: "Sign in at the top." });
  }

  // Sign in. Values that are not given stay as they are. If another user was signed in before, the event `userchange` is dispatched, and
  // then always the event `signin`.
  signIn({ name, token, credentials }) {
    let isOtherUser = false;
    if (name !== undefined && name !== this.name) {
      [this.name, this.#token] = [name, ""];
      isOtherUser = true;
    }
    if (token) {
      const before = this.#user;
      this.#setToken(token);
      isOtherUser ||= Boolean(before && before !== this.#user);
    }
    if (credentials) this.#credentials = credentials;
    this.signInCount += 1;
    if (isOtherUser) {
      this.userChangeCount += 1;
      this.dispatchEvent(new Event("userchange"));
    }
    this.dispatchEvent(new Event("signin"));
  }

  // Return a function that throws a Problem if another user has signed in since this call. A new token of the same user is allowed.
  createUserCheck(before, todo) {
    const { userChangeCount } = this;
    return () => {
      if (userChangeCount !== this.userChangeCount) throw userChangedProblem(before, todo);
    };
  }

  // Text in the page's header.
  get displayName() {
    return this.name || (this.#token || this.#credentials ? "Signed in" : "");
  }

  #setToken(token) {
    this.#token = token;
    const claims = parseClaims(token);
    this.#expiresAt = (claims.exp ?? 0) * 1000;
    if (this.#stack.local) return;
    this.name = String(claims.name ?? claims.email ?? claims.sub ?? "");
    this.#user = claims.sub === undefined ? token : JSON.stringify([claims.iss, claims.sub]);
  }
}

// Problem of an action that ends because another user has signed in.
export const userChangedProblem = (before, todo) => new Problem(`Another user has signed in before ${before}.`, { todo });

// Parse a pasted token, with or without `Bearer`. The token is also sent as a WebSocket subprotocol, which allows only these characters.
// With other characters, the browser's error would contain the whole token.
export function parseToken(text) {
  const token = text.trim().replace(/^Bearer\s+/i, "");
  if (/^[A-Za-z0-9._~-]*$/.test(token)) return token;
  throw new Problem("This is not a token. A token only contains letters, digits and . _ ~ -", { todo: "Paste only the token of the identity provider." });
}

// Read a token's claims without verifying it, to show a name and to notice a change of the user. The backend verifies the token.
function parseClaims(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (character) => character.charCodeAt(0))));
  } catch {
    return {};
  }
}
