// Panel of ingestion: uploads files to the landing bucket, and shows the state of each file from its record in the table.

import { putObject } from "../lib/aws.js";
import { announce, badge, byId, el, progress, setChildren, steps } from "../lib/dom.js";
import { formatSize } from "../lib/format.js";
import { getItem } from "../lib/items.js";
import { poll } from "../lib/poll.js";
import { Problem, runAction } from "../lib/problems.js";

const STATES = ["pending", "claimed", "manifested", "processed"];
const FINAL_STATES = new Set(["processed", "rejected", "superseded", "failed"]);
const EXPLANATIONS = {
  pending: "Waits for more files, which are processed together.",
  claimed: "Is being added to a manifest.",
  manifested: "In a manifest. A Spark run converts it to rows.",
  processed: "Its rows are in the data lake.",
  rejected: "Rejected",
  superseded: "This version was deleted or replaced before it was read.",
  failed: "Its run failed. An operator can restart it.",
};
const REASONS = {
  EMPTY: "it is empty.",
  TOO_LARGE: "it is larger than this stack allows.",
  SUFFIX_NOT_ALLOWED: "this stack does not accept its file extension.",
  too_large: "its content is larger than a run can read.",
  sealed: "the run cannot read it, because it is archived or encrypted with another key.",
  no_good_line: "none of its lines is a JSON record.",
};
const REMARKS = {
  empty: "It contained no rows.",
  damaged_gzip: "The file is damaged. Rows after the damage are missing.",
};
const MAX_CONCURRENT_UPLOADS = 4;
const NOTIFICATION_TIMEOUT_MS = 60000;
const DAY_MS = 86400000;

export function files({ stack, visitor, settings }) {
  const { bucket, prefix, table, suffixes, maxFileBytes } = settings;
  const problem = byId("files-problem");
  const folder = `${prefix}console/`;
  byId("files-hint").textContent =
    `${suffixes.length ? suffixes.join(", ") : "Any name"}, up to ${formatSize(maxFileBytes)} each. They are stored below ${folder}`;

  async function uploadFiles(chosen) {
    const waiting = [...chosen];
    if (!waiting.length) return;
    const { userChangeCount } = visitor;
    await runAction(problem, async () => {
      visitor.credentials; // Missing credentials are reported once, not for each file.
      byId("files-note").hidden = false;
      await Promise.all(Array.from({ length: MAX_CONCURRENT_UPLOADS }, async () => {
        for (let file = waiting.shift(); file && userChangeCount === visitor.userChangeCount; file = waiting.shift()) await uploadAndTrack(file);
      }));
    });
  }

  async function uploadAndTrack(file) {
    const { bar, setShare } = progress(`${file.name}, uploaded`);
    const state = el("div", { class: "about" }, bar);
    const fileProblem = el("p", { class: "problem", role: "alert", hidden: true });
    byId("files-list").prepend(
      el("li", { class: "card" }, el("div", { class: "bar" }, el("strong", { class: "name", text: file.name }), el("span", { class: "hint", text: formatSize(file.size) })), state, fileProblem),
    );
    const version = await runAction(fileProblem, () => upload(file, setShare));
    if (version) runAction(fileProblem, () => pollState(file, version, state, fileProblem));
    else state.remove();
  }

  async function upload(file, onProgress) {
    const startedAt = Date.now();
    const key = `${folder}${file.name}`;
    const header = await putObject(stack, visitor.credentials, bucket, key, file, { onProgress });
    const version = header("x-amz-version-id");
    if (!version) {
      throw new Problem("The file is uploaded, but the page cannot read its version.", {
        todo: "Set ingestion.intake.corsOrigin to this page's origin, so that the bucket exposes x-amz-version-id.",
      });
    }
    return { startedAt, fileKey: `${key}#${version}` };
  }

  // Poll until the file reaches a final state. Other files are uploaded meanwhile.
  async function pollState(file, version, state, fileProblem) {
    setChildren(state, el("p", { class: "hint", text: "Uploaded. Waiting for the notification." }));
    const { userChangeCount } = visitor;
    let last = "";
    await poll(visitor, fileProblem, () => userChangeCount === visitor.userChangeCount, async () => {
      const record = await findRecord(version);
      if (!record) {
        if (Date.now() - version.startedAt <= NOTIFICATION_TIMEOUT_MS) return false;
        throw new Problem("The file is uploaded, but it is not in the table after a minute.", { todo: "It is not lost. A nightly sweep finds it, and an operator can look for the cause.", retryable: true });
      }
      if (record.status !== last) {
        last = record.status;
        draw(state, record);
        announce(`${file.name}: ${record.status}`);
      }
      return FINAL_STATES.has(record.status);
    });
  }

  // The table's partition key is the day of arrival, which may be the next day around midnight.
  async function findRecord({ startedAt, fileKey }) {
    const days = new Set([startedAt - 60000, Date.now(), startedAt + DAY_MS].filter((time) => time <= Date.now() + 60000).map((time) => new Date(time).toISOString().slice(0, 10)));
    for (const date of days) {
      const record = await getItem(stack, visitor.credentials, table, { date_prefix: date, file_key: fileKey });
      if (record) return record;
    }
    return null;
  }

  byId("files-input").addEventListener("change", (event) => {
    uploadFiles(event.target.files);
    event.target.value = "";
  });
  const drop = byId("files-drop");
  for (const [type, over] of [["dragover", true], ["dragenter", true], ["dragleave", false], ["drop", false]]) {
    drop.addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", over);
    });
  }
  drop.addEventListener("drop", (event) => uploadFiles(event.dataTransfer.files));
  // Another user must not see these files.
  visitor.addEventListener("userchange", () => setChildren(byId("files-list")));
  byId("files-note").textContent = "A run starts when enough files are waiting, or after an hour.";
}

function draw(state, { status, reason = "" }) {
  const step = STATES.indexOf(status);
  // The text after a colon is a detail of the reason.
  const text = status === "rejected" ? `${EXPLANATIONS.rejected}: ${REASONS[reason.split(":")[0]] ?? reason}` : [EXPLANATIONS[status], REMARKS[reason]].filter(Boolean).join(" ");
  setChildren(
    state,
    step < 0 ? badge(status, status === "superseded" ? "plain" : "bad") : steps(STATES, step === STATES.length - 1 ? STATES.length : step),
    el("p", { class: "hint", text }),
  );
}
