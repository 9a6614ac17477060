// Ingestion: files are dropped into the landing bucket, and each one's record in the table says how far it has come.

import { putObject } from "../lib/aws.js";
import { badge, byId, clear, el, progress, say, steps } from "../lib/dom.js";
import { getItem } from "../lib/items.js";
import { Problem, attempt } from "../lib/problems.js";
import { watch } from "../lib/watch.js";
import { size } from "../lib/words.js";

const STATES = ["pending", "claimed", "manifested", "processed"];
const ENDS = new Set(["processed", "rejected", "superseded", "failed"]);
const WORDS = {
  pending: "Waits for others, to be worked on together.",
  claimed: "Is being put on a list with others.",
  manifested: "On a list: a Spark run turns it into rows.",
  processed: "Its rows are in the lake.",
  rejected: "Not taken",
  superseded: "This version was gone before it was read.",
  failed: "Its run failed; an operator can run it again.",
};
const REASONS = {
  EMPTY: "it is empty.",
  TOO_LARGE: "it is larger than this stack takes.",
  SUFFIX_NOT_ALLOWED: "its name does not end as this stack wants it.",
  too_large: "it holds more than a run can read.",
  sealed: "S3 gives it to nobody here. It was archived, or uploaded under a key of its own.",
  no_good_line: "not one of its lines is a record.",
};
const REMARKS = {
  empty: "It had none.",
  damaged_gzip: "It is damaged: what stands behind the damage is not among them.",
};
const AT_ONCE = 4;
const UNNOTICED_MS = 60000;
const DAY_MS = 86400000;

export function files({ stack, visitor, settings }) {
  const { bucket, prefix, table, suffixes, maxFileBytes } = settings;
  const problem = byId("files-problem");
  const folder = `${prefix}console/`;
  byId("files-hint").textContent =
    `${suffixes.length ? suffixes.join(", ") : "Any name"}, up to ${size(maxFileBytes)} each. They go below ${folder}`;

  async function take(chosen) {
    const waiting = [...chosen];
    if (!waiting.length) return;
    const { users } = visitor;
    await attempt(problem, async () => {
      visitor.credentials; // rather one word about it than one a file
      byId("files-note").hidden = false;
      await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        for (let file = waiting.shift(); file && users === visitor.users; file = waiting.shift()) await follow(file);
      }));
    });
  }

  async function follow(file) {
    const { bar, to } = progress(`${file.name}, uploaded`);
    const state = el("div", { class: "about" }, bar);
    const trouble = el("p", { class: "problem", role: "alert", hidden: true });
    byId("files-list").prepend(
      el("li", { class: "card" }, el("div", { class: "bar" }, el("strong", { class: "name", text: file.name }), el("span", { class: "hint", text: size(file.size) })), state, trouble),
    );
    const version = await attempt(trouble, () => upload(file, to));
    if (version) attempt(trouble, () => lookAfter(file, version, state, trouble));
    else state.remove();
  }

  async function upload(file, onProgress) {
    const begun = Date.now();
    const key = `${folder}${file.name}`;
    const header = await putObject(stack, visitor.credentials, bucket, key, file, { onProgress });
    const version = header("x-amz-version-id");
    if (!version) {
      throw new Problem("The file is there, but its version was not told to this page.", {
        todo: "The bucket's CORS has to expose x-amz-version-id: set ingestion.intake.corsOrigin to this page.",
      });
    }
    return { begun, fileKey: `${key}#${version}` };
  }

  // Looks until the file is at an end; not in the way of other files.
  async function lookAfter(file, version, state, trouble) {
    clear(state, el("p", { class: "hint", text: "Uploaded. Nobody has noticed yet." }));
    const { users } = visitor;
    let last = "";
    await watch(visitor, trouble, () => users === visitor.users, async () => {
      const record = await found(version);
      if (!record) {
        if (Date.now() - version.begun <= UNNOTICED_MS) return false;
        throw new Problem("Uploaded, and not in the table after a minute.", { todo: "It is not lost: a sweep finds it every night. An operator can look for why.", retryable: true });
      }
      if (record.status !== last) {
        last = record.status;
        draw(state, record);
        say(`${file.name}: ${record.status}`);
      }
      return ENDS.has(record.status);
    });
  }

  // The table's partition is the day of the arrival, which may be the next one by now.
  async function found({ begun, fileKey }) {
    const days = new Set([begun - 60000, Date.now(), begun + DAY_MS].filter((one) => one <= Date.now() + 60000).map((one) => new Date(one).toISOString().slice(0, 10)));
    for (const date of days) {
      const record = await getItem(stack, visitor.credentials, table, { date_prefix: date, file_key: fileKey });
      if (record) return record;
    }
    return null;
  }

  byId("files-input").addEventListener("change", (event) => {
    take(event.target.files);
    event.target.value = "";
  });
  const drop = byId("files-drop");
  for (const [type, over] of [["dragover", true], ["dragenter", true], ["dragleave", false], ["drop", false]]) {
    drop.addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", over);
    });
  }
  drop.addEventListener("drop", (event) => take(event.dataTransfer.files));
  // What another visitor dropped is not this one's to see.
  visitor.addEventListener("another", () => clear(byId("files-list")));
  byId("files-note").textContent = "Files wait until there are enough of them for a run, or for an hour.";
}

function draw(state, { status, reason = "" }) {
  const place = STATES.indexOf(status);
  // What is behind a colon says which of its kind.
  const words = status === "rejected" ? `${WORDS.rejected}: ${REASONS[reason.split(":")[0]] ?? reason}` : [WORDS[status], REMARKS[reason]].filter(Boolean).join(" ");
  clear(
    state,
    place < 0 ? badge(status, status === "superseded" ? "plain" : "bad") : steps(STATES, place === STATES.length - 1 ? STATES.length : place),
    el("p", { class: "hint", text: words }),
  );
}
