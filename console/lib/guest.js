// A guest of an identity pool: an identity that he keeps while the page is open, and credentials for an hour at a time.

import { operation } from "./aws.js";

const TARGET = "AWSCognitoIdentityService";
const EARLY_MS = 5 * 60 * 1000;

export class Guest {
  #stack;
  #pool;
  #identity = "";
  #credentials = null;
  #ends = 0;

  constructor(stack, pool) {
    this.#stack = stack;
    this.#pool = pool;
  }

  async credentials() {
    if (this.#credentials && Date.now() < this.#ends - EARLY_MS) return this.#credentials;
    this.#identity ||= (await this.#ask("GetId", { IdentityPoolId: this.#pool })).IdentityId;
    const given = (await this.#ask("GetCredentialsForIdentity", { IdentityId: this.#identity })).Credentials;
    this.#ends = given.Expiration * 1000;
    this.#credentials = { accessKeyId: given.AccessKeyId, secretAccessKey: given.SecretKey, sessionToken: given.SessionToken };
    return this.#credentials;
  }

  #ask(what, body) {
    return operation(this.#stack, "cognito-identity", `${TARGET}.${what}`, body, { version: "1.1" });
  }
}
