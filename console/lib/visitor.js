// Who the visitor is. Tokens, keys and credentials live in this object alone: nothing stores, shows or logs them.

import { Problem, unreached } from "./problems.js";

const EARLY_MS = 5 * 60 * 1000;

export class Visitor extends EventTarget {
  #stack;
  #token = "";
  #ends = 0;
  #keys = null;
  #apiKey = "";
  #user = ""; // whom the token is of
  visits = 0; // how often somebody else has come, or the same with something else: what is exchanged in one is used in that one
  users = 0; // how often somebody else has come: what is asked by one is answered to that one, and what he began is his alone

  constructor(stack) {
    super();
    this.#stack = stack;
    this.name = stack.local?.subject ?? "";
    this.#keys = stack.local?.credentials ?? null;
  }

  // A token of the identity provider. The local one gives one to whoever asks, as whoever he likes.
  async token() {
    if (!this.#stack.local) {
      if (this.#token) return this.#token;
      throw new Problem("This needs a token, and there is none.", { code: "TOKEN_REFUSED", todo: "Sign in at the top." });
    }
    if (this.#token && Date.now() < this.#ends - EARLY_MS) return this.#token;
    const [url, name] = [this.#stack.local.login, this.name];
    let answer;
    try {
      // As plain text: no other form is taken without asking first, which the provider does not answer.
      answer = await fetch(url, { method: "POST", body: JSON.stringify({ subject: name }) });
    } catch {
      throw unreached(url);
    }
    const said = await answer.json();
    if (name !== this.name) return this.token(); // somebody else has signed in meanwhile
    if (!answer.ok) throw new Problem(said.message, { todo: "Sign in at the top under another name." });
    this.#take(said.id_token);
    return this.#token;
  }

  // The token if there is one; for what can do without.
  async tokenIfAny() {
    return this.#stack.local || this.#token ? this.token() : "";
  }

  get apiKey() {
    if (this.#apiKey) return this.#apiKey;
    throw new Problem("This needs an API key, and there is none.", { todo: "Sign in at the top." });
  }

  // Credentials of AWS that the visitor brought along.
  get credentials() {
    if (this.#keys) return this.#keys;
    throw new Problem("This needs credentials of AWS, and there are none.", { todo: "Sign in at the top." });
  }

  // Somebody else, or the same with something else. What is not given stays. Before `change`, `another` says that it is somebody else;
  // whoever signs in where nobody was is not.
  become({ name, token, apiKey, credentials }) {
    let another = Boolean(apiKey && this.#apiKey && apiKey !== this.#apiKey);
    if (name !== undefined && name !== this.name) {
      [this.name, this.#token] = [name, ""];
      another = true;
    }
    if (token) {
      const before = this.#user;
      this.#take(token);
      another ||= Boolean(before && before !== this.#user);
    }
    if (apiKey) this.#apiKey = apiKey;
    if (credentials) this.#keys = credentials;
    this.visits += 1;
    if (another) {
      this.users += 1;
      this.dispatchEvent(new Event("another"));
    }
    this.dispatchEvent(new Event("change"));
  }

  // A check that whoever is here now still is, under whatever token.
  staying(before, todo) {
    const { users } = this;
    return () => {
      if (users !== this.users) throw left(before, todo);
    };
  }

  // What the header shows.
  get shown() {
    return this.name || (this.#token || this.#keys || this.#apiKey ? "Signed in" : "");
  }

  #take(token) {
    this.#token = token;
    const claims = claimsOf(token);
    this.#ends = (claims.exp ?? 0) * 1000;
    if (this.#stack.local) return;
    this.name = String(claims.name ?? claims.email ?? claims.sub ?? "");
    this.#user = claims.sub === undefined ? token : JSON.stringify([claims.iss, claims.sub]);
  }
}

// Why what one began ends with him.
export const left = (before, todo) => new Problem(`Somebody else has signed in before ${before}.`, { todo });

// A token as people copy it, from a header too. It is offered as a subprotocol, whose letters these are: of others a browser complains
// by repeating all of it.
export function tokenOf(text) {
  const token = text.trim().replace(/^Bearer\s+/i, "");
  if (/^[A-Za-z0-9._~-]*$/.test(token)) return token;
  throw new Problem("This is no token: one has letters, digits and . _ ~ - only.", { todo: "Paste the token that the identity provider gave, and nothing else." });
}

// For showing a name and telling users apart on this page: whether a token is good, the backend says.
function claimsOf(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (one) => one.charCodeAt(0))));
  } catch {
    return {};
  }
}
