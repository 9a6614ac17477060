// Errors for the visitor: what happened, and what to do.

export class Problem extends Error {
  // `code` is the backend's error code and `status` the HTTP status, if there is one. `todo` is advice. `retryable` is true for a transient error.
  constructor(message, { code = "", status = 0, todo = "", retryable = false } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.todo = todo;
    this.retryable = retryable;
  }
}

const ADVICE = {
  TOKEN_EXPIRED: "Your token has expired. Sign in again at the top.",
  TOKEN_REFUSED: "Sign in at the top with a token of this stack's identity provider.",
  UNAUTHORIZED: "Sign in at the top with a token of this stack's identity provider.",
  UNAUTHENTICATED: "Sign in at the top with a token of this stack's identity provider.",
  FORBIDDEN: "You lack the permission. Sign in at the top as another user.",
  AccessDenied: "These credentials lack the permission. Sign in at the top with others.",
  AccessDeniedException: "These credentials lack the permission. Sign in at the top with others.",
  ExpiredToken: "The credentials have expired. Sign in again at the top.",
  ExpiredTokenException: "The credentials have expired. Sign in again at the top.",
  InvalidAccessKeyId: "AWS does not know this access key. Sign in at the top with another.",
  UnrecognizedClientException: "AWS does not know this access key. Sign in at the top with another.",
  SignatureDoesNotMatch: "The secret key does not match the access key. Sign in again at the top.",
  RequestTimeTooSkewed: "This machine's clock is wrong by more than five minutes. Set it.",
  TOO_MANY_QUERIES: "Wait for the next hour.",
  LECTURE_UNKNOWN: "Check the lecture's id.",
  LECTURE_NOT_READY: "The lecture is still being validated. Ask again in a moment.",
  UPLOAD_REFUSED: "On this stack, only operators upload lectures. Enter the id of an existing lecture.",
  UNAVAILABLE: "Try again in a moment.",
  BUSY: "Try again in a moment.",
  INTERNAL: "Try again in a moment. If the error remains, report the request's id to the operator of the stack.",
  VERSION_CONFLICT: "Another request changed it meanwhile. Reload it, then repeat your change.",
};

// Error codes for throttling, which AWS returns with status 400.
const THROTTLING_CODES = new Set(["ThrottlingException", "ProvisionedThroughputExceededException", "TooManyRequestsException"]);

// Create a Problem from an error response of a backend or of AWS.
export function problemFromResponse(status, text, headers = undefined) {
  const body = parseBody(text);
  const code = String(body.code ?? body.Code ?? body.__type ?? `HTTP ${status}`).split("#").pop();
  const fields = Array.isArray(body.fields) ? body.fields : [];
  const message = body.message ?? body.Message ?? `The server answered with status ${status} and no reason.`;
  const request = body.requestId ?? headers?.get("x-amzn-requestid") ?? "";
  const todo = ADVICE[code] ?? (status === 401 || status === 403 ? ADVICE.UNAUTHORIZED : status >= 500 ? ADVICE.UNAVAILABLE : "");
  const retryable = status >= 500 || status === 429 || THROTTLING_CODES.has(code);
  return new Problem(`${toSentence(message)}${describeFields(fields)}`, { code, status, todo: request ? `${todo} Request ${request}.`.trim() : todo, retryable });
}

// Transient error codes of the backends. A request may be repeated under the same id without a second effect.
const TRANSIENT_CODES = new Set(["UNAVAILABLE", "INTERNAL"]);

export const problemFromMessage = (message) =>
  new Problem(`${toSentence(message.message)}${describeFields(message.fields ?? [])}`, {
    code: message.code, todo: ADVICE[message.code] ?? "", retryable: message.retryable ?? TRANSIENT_CODES.has(message.code),
  });

// People see no codes: the message of a backend is a sentence, and `fields` has a sentence for each wrong field.
const toSentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);
// A rule about several fields names no field.
const describeFields = (fields) => fields.map(({ field, rule }) => ` ${toSentence(field ? `${field} ${rule}` : rule)}`).join("");

// Create a Problem for a request without a response. A browser does not report whether the host or CORS was the cause.
export function unreachableProblem(url, advice = "") {
  const { host, hostname } = new URL(url, location.href);
  const todo = LOOPBACK_HOSTS.has(hostname)
    ? "The local platform has probably stopped, or runs on another port now. Run make up and make console, then reload this page."
    : `Check the network, that the stack runs, and that its settings contain this page's origin (corsOrigin, origins). Then try again.${advice ? ` If that is not the cause: ${advice}` : ""}`;
  return new Problem(`No answer from ${host}.`, { code: "UNREACHABLE", todo, retryable: true });
}

const LOOPBACK_HOSTS = new Set(["127.0.0.1", "localhost"]);

// Show a problem in an element until it is replaced. For an unexpected error show its name only, because its message may contain a secret.
export function showProblem(node, problem) {
  node.hidden = !problem;
  node.replaceChildren();
  if (!problem) return;
  const isProblem = problem instanceof Problem;
  if (!isProblem) console.error(problem.name);
  const first = document.createElement("strong");
  first.textContent = isProblem ? problem.message : `An error occurred in this page (${problem.name}).`;
  const second = document.createElement("span");
  second.textContent = isProblem ? problem.todo : "Reload the page. If it happens again, report it with the steps that lead to it.";
  node.append(first, " ", second);
}

// Run an action of the visitor and show its error in `node`, in place of the last one. The button is disabled while the action runs,
// which removes its focus. It gets the focus back, unless the visitor has focused another element.
export async function runAction(node, work, button = null) {
  showProblem(node, null);
  const focused = button !== null && document.activeElement === button;
  if (button) button.disabled = true;
  try {
    return await work();
  } catch (problem) {
    showProblem(node, problem);
    return undefined;
  } finally {
    if (button) button.disabled = false;
    if (focused && document.activeElement === document.body) button.focus({ preventScroll: true });
  }
}

function parseBody(text) {
  try {
    const body = JSON.parse(text);
    return body !== null && typeof body === "object" ? body : {};
  } catch {
    // S3 returns errors as XML.
    const readTag = (name) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
    const code = readTag("Code");
    return code ? { code, message: readTag("Message"), requestId: readTag("RequestId") } : {};
  }
}
