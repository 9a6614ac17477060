// HTTP requests. Uploads use XMLHttpRequest, because `fetch` does not report progress.

import { Problem, problemFromResponse, unreachableProblem } from "./problems.js";

const EXPIRED_CODES = ["ExpiredToken", "UNREACHABLE"];

// Send a request and return the text of the response. Throw a Problem for a failed request.
export async function requestText(url, options) {
  let response;
  let text;
  try {
    response = await fetch(url, options);
    text = await response.text();
  } catch {
    throw unreachableProblem(url);
  }
  if (!response.ok) throw problemFromResponse(response.status, text, response.headers);
  return text;
}

// Send a JSON request and return the JSON response. Throw a Problem for a failed request.
export async function requestJson(url, { method = "GET", body, headers = {} } = {}) {
  const allHeaders = body === undefined ? headers : { "Content-Type": "application/json", ...headers };
  const text = await requestText(url, { method, headers: allHeaders, body: body === undefined ? undefined : JSON.stringify(body) });
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(`${new URL(url).host} returned a response that is not JSON.`, { todo: "Try again in a moment." });
  }
}

// Send a body. Return a function that reads a response header.
export function sendBody(method, url, body, { headers = {}, onProgress = () => {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => event.lengthComputable && onProgress(event.loaded / event.total));
    request.addEventListener("error", () => reject(unreachableProblem(url)));
    request.addEventListener("load", () => {
      if (request.status < 200 || request.status > 299) return reject(problemFromResponse(request.status, request.responseText));
      onProgress(1);
      return resolve((name) => request.getResponseHeader(name));
    });
    request.send(body);
  });
}

// Send a request to a presigned URL or form. If that has expired, call `renew` and send the request once more. S3 answers with status 403
// if the URL has expired, and 400 if the credentials that signed it have expired before. If S3 closes the connection before the whole body
// was sent, the browser reports only that there was no answer.
export async function sendOrRenew(send, renew) {
  try {
    return await send();
  } catch (problem) {
    if (problem.status !== 403 && !EXPIRED_CODES.includes(problem.code)) throw problem;
    await renew();
    return send();
  }
}

// Upload a file with a presigned form: first its fields, then the file.
export function postForm({ url, fields }, file, onProgress) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file);
  return sendBody("POST", url, form, { onProgress });
}
