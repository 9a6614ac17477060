// What went wrong, in words: what was given or happened, and what to do.

export class Problem extends Error {
  // `code` is the backend's word for it, where it has one; `todo` is what helps; `retryable`, whether it passes by itself.
  constructor(message, { code = "", todo = "", retryable = false } = {}) {
    super(message);
    this.code = code;
    this.todo = todo;
    this.retryable = retryable;
  }
}

const TODO = {
  TOKEN_EXPIRED: "Your token has ended. Sign in again, at the top.",
  TOKEN_NOT_YET_VALID: "The token is not good yet. Is this machine's clock right?",
  TOKEN_REFUSED: "Sign in at the top with a token of this stack's identity provider.",
  UNAUTHORIZED: "Sign in at the top with a token of this stack's identity provider.",
  UNAUTHENTICATED: "Sign in at the top with a token of this stack's identity provider.",
  FORBIDDEN: "This visitor may not do that. Sign in at the top as somebody who may.",
  AccessDenied: "These credentials may not do that. Sign in at the top with some that may.",
  AccessDeniedException: "These credentials may not do that. Sign in at the top with some that may.",
  ExpiredToken: "The credentials have ended. Sign in again, at the top.",
  ExpiredTokenException: "The credentials have ended. Sign in again, at the top.",
  InvalidAccessKeyId: "AWS does not know this access key. Sign in at the top with another.",
  UnrecognizedClientException: "AWS does not know this access key. Sign in at the top with another.",
  SignatureDoesNotMatch: "The secret key does not belong to the access key. Sign in at the top again.",
  RequestTimeTooSkewed: "This machine's clock is wrong by more than five minutes. Set it.",
  TOO_MANY_SESSIONS: "Stop another session, or wait a minute: a broken connection's counts that long.",
  TOO_MANY_QUERIES: "Wait for an answer, or an hour.",
  LECTURE_UNKNOWN: "Check the lecture's id.",
  LECTURE_NOT_READY: "The lecture is still being looked at. Ask again in a moment.",
  UPLOAD_REFUSED: "On this stack an operator uploads lectures. Give the id of one that is there.",
  UNAVAILABLE: "Try again in a moment.",
  BUSY: "Try again in a moment.",
  INTERNAL: "Try again in a moment. If it stays, tell whoever runs the stack the request's id.",
  VERSION_CONFLICT: "Somebody changed it meanwhile. Look at it again, then change it.",
};

// What AWS says, as a mistake of the caller's, where too much is asked at once.
const THROTTLED = new Set(["ThrottlingException", "ProvisionedThroughputExceededException", "TooManyRequestsException"]);

// An answer of ours or of AWS' that is no good one.
export function refusal(status, text, headers = undefined) {
  const said = parsed(text);
  const code = String(said.code ?? said.Code ?? said.__type ?? `HTTP ${status}`).split("#").pop();
  const fields = Array.isArray(said.fields) ? said.fields : [];
  const told = fields.map((one) => `${one.field}: ${one.rule}`).join("; ");
  const message = said.message ?? said.Message ?? "no reason was given";
  const request = said.requestId ?? headers?.get("x-amzn-requestid") ?? "";
  const todo = TODO[code] ?? (status === 401 || status === 403 ? TODO.UNAUTHORIZED : status >= 500 ? TODO.UNAVAILABLE : "");
  const full = `${message}${told ? ` (${told})` : ""}`;
  const retryable = status >= 500 || status === 429 || THROTTLED.has(code);
  return new Problem(`${code}: ${full}`, { code, todo: request ? `${todo} Request ${request}.`.trim() : todo, retryable });
}

// A stack's own errors, which pass: asked again under the same name, nothing happens twice.
const PASSING = new Set(["UNAVAILABLE", "INTERNAL"]);

export const answered = (message) =>
  new Problem(`${message.code}: ${message.message}${(message.fields ?? []).map((one) => ` (${one.field}: ${one.rule})`).join("")}`, {
    code: message.code, todo: TODO[message.code] ?? "", retryable: message.retryable ?? PASSING.has(message.code),
  });

// No answer at all: a browser does not tell whether nobody was there, or somebody did not want this page.
export const unreached = (url) =>
  new Problem(`No answer from ${new URL(url, location.href).host}.`, {
    code: "UNREACHABLE",
    todo: "Is the stack up, and do its settings name this page's origin (corsOrigin, origins)? Then try again.",
    retryable: true,
  });

// Shows a problem where it happened; nothing takes it away. Of a mistake only its name: what it says may repeat what is secret.
export function show(node, problem) {
  node.hidden = !problem;
  node.replaceChildren();
  if (!problem) return;
  const known = problem instanceof Problem;
  if (!known) console.error(problem.name);
  const first = document.createElement("strong");
  first.textContent = known ? problem.message : `This page made a mistake (${problem.name}).`;
  const second = document.createElement("span");
  second.textContent = known ? problem.todo : "Reload it. If it happens again, report it with what you did.";
  node.append(first, " ", second);
}

// Runs what a visitor asked for; what goes wrong is shown in `node`, what went wrong before goes. Meanwhile its button cannot be used,
// and loses the keyboard, which it has back unless the visitor has gone elsewhere.
export async function attempt(node, work, button = null) {
  show(node, null);
  const focused = button !== null && document.activeElement === button;
  if (button) button.disabled = true;
  try {
    return await work();
  } catch (problem) {
    show(node, problem);
    return undefined;
  } finally {
    if (button) button.disabled = false;
    if (focused && document.activeElement === document.body) button.focus({ preventScroll: true });
  }
}

function parsed(text) {
  try {
    const said = JSON.parse(text);
    return said !== null && typeof said === "object" ? said : {};
  } catch {
    // S3 answers in XML.
    const found = (name) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
    const code = found("Code");
    return code ? { code, message: found("Message"), requestId: found("RequestId") } : {};
  }
}
