// Requests to AWS, signed with Signature Version 4 by aws4fetch. The caller passes the credentials.

import { AwsClient, AwsV4Signer } from "../vendor/aws4fetch.js";
import { sendBody } from "./http.js";
import { Problem, problemFromResponse, unreachableProblem } from "./problems.js";

const MAX_RETRIES = 3;

// Call an operation of a service with a JSON protocol (DynamoDB, Cognito). Without credentials the request is not signed.
export async function callOperation(stack, service, target, body, { credentials = null, version = "1.0" } = {}) {
  const url = `${stack.endpoint(service)}/`;
  const request = {
    method: "POST",
    headers: { "Content-Type": `application/x-amz-json-${version}`, "X-Amz-Target": target },
    body: JSON.stringify(body),
  };
  let response;
  try {
    response = await (credentials ? createClient(stack, service, credentials).fetch(url, request) : fetch(url, request));
  } catch {
    throw unreachableProblem(url);
  }
  const text = await response.text();
  if (!response.ok) throw problemFromResponse(response.status, text, response.headers);
  return JSON.parse(text);
}

// Upload an object. Return a function that reads a response header.
export async function putObject(stack, credentials, bucket, key, body, { headers = {}, onProgress } = {}) {
  const url = stack.objectUrl(bucket, key);
  const signed = await createClient(stack, "s3", credentials).sign(url, { method: "PUT", headers });
  return sendBody("PUT", url, body, { headers: Object.fromEntries(signed.headers), onProgress });
}

// Return the response with an object's content, or null if the object does not exist.
export async function getObject(stack, credentials, bucket, key) {
  const url = stack.objectUrl(bucket, key);
  let response;
  try {
    response = await createClient(stack, "s3", credentials).fetch(url, {});
  } catch {
    throw unreachableProblem(url);
  }
  if (response.status === 404) return null;
  if (!response.ok) throw problemFromResponse(response.status, await response.text(), response.headers);
  return response;
}

// Return a presigned URL that is valid for `seconds`. A player uses it to read an object, a WebSocket to connect.
export async function presignUrl(stack, service, credentials, url, seconds) {
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
export function parseCredentials(text) {
  const readValue = (name) => new RegExp(`${name}["']?\\s*[=:]\\s*["']?([A-Za-z0-9/+=]+)`, "i").exec(text)?.[1];
  const [accessKeyId, secretAccessKey] = [readValue("aws_access_key_id"), readValue("aws_secret_access_key")];
  if (!accessKeyId || !secretAccessKey) {
    throw new Problem("The text does not contain AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.", {
      todo: "Paste the output of: aws configure export-credentials --format env",
    });
  }
  return { accessKeyId, secretAccessKey, sessionToken: readValue("aws_session_token") };
}

const createClient = (stack, service, credentials) => new AwsClient({ ...credentials, service, region: stack.region, retries: MAX_RETRIES });
