// Requests to AWS, signed with Signature Version 4 by aws4fetch. The caller passes the credentials.

import { AwsClient, AwsV4Signer } from "../vendor/aws4fetch.js";
import { send } from "./http.js";
import { Problem, refusal, unreached } from "./problems.js";

const RETRIES = 3;

// Call an operation of a service with a JSON protocol (DynamoDB, Cognito). Without credentials the request is not signed.
export async function operation(stack, service, target, body, { credentials = null, version = "1.0" } = {}) {
  const url = `${stack.endpoint(service)}/`;
  const request = {
    method: "POST",
    headers: { "Content-Type": `application/x-amz-json-${version}`, "X-Amz-Target": target },
    body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await (credentials ? client(stack, service, credentials).fetch(url, request) : fetch(url, request));
  } catch {
    throw unreached(url);
  }
  const text = await answer.text();
  if (!answer.ok) throw refusal(answer.status, text, answer.headers);
  return JSON.parse(text);
}

// Upload an object. Return a function that reads a response header.
export async function putObject(stack, credentials, bucket, key, body, { headers = {}, onProgress } = {}) {
  const url = stack.object(bucket, key);
  const signed = await client(stack, "s3", credentials).sign(url, { method: "PUT", headers });
  return send("PUT", url, body, { headers: Object.fromEntries(signed.headers), onProgress });
}

// Return the response with an object's content, or null if the object does not exist.
export async function getObject(stack, credentials, bucket, key) {
  const url = stack.object(bucket, key);
  let answer;
  try {
    answer = await client(stack, "s3", credentials).fetch(url, {});
  } catch {
    throw unreached(url);
  }
  if (answer.status === 404) return null;
  if (!answer.ok) throw refusal(answer.status, await answer.text(), answer.headers);
  return answer;
}

// Return a presigned URL that is valid for some seconds: of an object for a player, or of a WebSocket API for a handshake.
export async function signedUrl(stack, service, credentials, url, seconds) {
  const address = new URL(url);
  // The signer only accepts http URLs. The scheme is not part of the signature, so it can be changed back afterwards.
  const scheme = address.protocol;
  const httpUrl = new URL(url.replace(/^ws/, "http"));
  httpUrl.searchParams.set("X-Amz-Expires", String(seconds));
  const signer = new AwsV4Signer({ method: "GET", url: httpUrl.href, service, region: stack.region, signQuery: true, ...credentials });
  const { url: signed } = await signer.sign();
  return scheme.startsWith("ws") ? signed.href.replace(/^http/, "ws") : signed.href;
}

// Parse credentials in the form that the AWS console and CLI print: `export` lines, or lines of a profile.
export function pasted(text) {
  const found = (name) => new RegExp(`${name}["']?\\s*[=:]\\s*["']?([A-Za-z0-9/+=]+)`, "i").exec(text)?.[1];
  const [accessKeyId, secretAccessKey] = [found("aws_access_key_id"), found("aws_secret_access_key")];
  if (!accessKeyId || !secretAccessKey) {
    throw new Problem("The text does not contain AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.", {
      todo: "Paste the output of: aws configure export-credentials --format env",
    });
  }
  return { accessKeyId, secretAccessKey, sessionToken: found("aws_session_token") };
}

const client = (stack, service, credentials) => new AwsClient({ ...credentials, service, region: stack.region, retries: RETRIES });
