// Guest of a Cognito identity pool: keeps one identity while the page is open, and renews its credentials every hour.

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
    const response = (await this.#ask("GetCredentialsForIdentity", { IdentityId: this.#identity })).Credentials;
    this.#ends = response.Expiration * 1000;
    this.#credentials = { accessKeyId: response.AccessKeyId, secretAccessKey: response.SecretKey, sessionToken: response.SessionToken };
    return this.#credentials;
  }

  #ask(name, body) {
    return operation(this.#stack, "cognito-identity", `${TARGET}.${name}`, body, { version: "1.1" });
  }
}
