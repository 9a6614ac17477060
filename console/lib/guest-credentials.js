// AWS credentials of an anonymous visitor (a guest), from a Cognito identity pool. The guest keeps one identity while the page is open. Its
// credentials are renewed when they have almost expired.

import { callOperation } from "./aws-requests.js";

const TARGET = "AWSCognitoIdentityService";
const RENEWAL_MARGIN_MS = 5 * 60 * 1000;

export class Guest {
  #stack;
  #poolId;
  #identityId = "";
  #credentials = null;
  #expiresAt = 0;

  constructor(stack, poolId) {
    this.#stack = stack;
    this.#poolId = poolId;
  }

  async credentials() {
    if (this.#credentials && Date.now() < this.#expiresAt - RENEWAL_MARGIN_MS) return this.#credentials;
    this.#identityId ||= (await this.#request("GetId", { IdentityPoolId: this.#poolId })).IdentityId;
    const response = (await this.#request("GetCredentialsForIdentity", { IdentityId: this.#identityId })).Credentials;
    this.#expiresAt = response.Expiration * 1000;
    this.#credentials = { accessKeyId: response.AccessKeyId, secretAccessKey: response.SecretKey, sessionToken: response.SessionToken };
    return this.#credentials;
  }

  #request(name, body) {
    return callOperation(this.#stack, "cognito-identity", `${TARGET}.${name}`, body, { version: "1.1" });
  }
}
