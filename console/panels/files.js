// Panel of ingestion: uploads files to the landing bucket, and shows the state of each file from its record in the table.

import { putObject } from "../lib/aws-requests.js";
import { announce, badge, byId, el, progress, setChildren, steps } from "../lib/dom.js";
import { FileList } from "../lib/file-list.js";
import { formatSize } from "../lib/format.js";
import { getItem } from "../lib/dynamodb-items.js";
import { fetchRows, fetchSample, flushFiles } from "../lib/local-platform.js";
import { poll } from "../lib/poll.js";
import { Problem, runAction } from "../lib/problems.js";

// Steps of a file, by the status of its record in ingestion's table.
const STEPS = { pending: "Waiting", manifested: "Converting", processed: "In the lake" };
const STATUSES = Object.keys(STEPS);
const FINAL_STATUSES = new Set(["processed", "rejected", "superseded", "failed"]);
const EXPLANATIONS = {
  pending: "It waits for more files, which are processed together.",
  manifested: "A Spark run converts it to rows.",
  processed: "Its rows are in the data lake.",
  rejected: "Rejected",
  superseded: "This version was deleted or replaced before it was read.",
  failed: "The Spark run that converts it failed. An operator can restart the run.",
};
const BADGES = { rejected: ["Rejected", "bad"], superseded: ["Replaced", "plain"], failed: ["Failed", "bad"] };
const GROUPS = { uploading: "uploading", waiting: "waiting", running: "converting", processed: "in the lake", ended: "rejected or failed", unsent: "not uploaded" };
const GROUP_OF_STATUS = { pending: "waiting", manifested: "running", processed: "processed", rejected: "ended", superseded: "ended", failed: "ended" };
const REASONS = {
  EMPTY: "it is empty.",
  TOO_LARGE: "it is larger than this stack allows.",
  SUFFIX_NOT_ALLOWED: "its file extension is not one of those above.",
  too_large: "its content is larger than a run can read.",
  sealed: "the run cannot read it, because it is archived or encrypted with a key that the run may not use.",
  no_good_line: "none of its lines is a JSON record.",
};
const UNKNOWN_REASON = "the run gave a reason that this page does not know. Use a newer version of the page.";
const REMARKS = {
  empty: "It contained no rows.",
  damaged_gzip: "The file is damaged. Rows after the damage are missing.",
};
const MAX_CONCURRENT_UPLOADS = 4;
const NOTIFICATION_TIMEOUT_MS = 60000; // time within which an uploaded file normally gets a record
const DAY_MS = 86400000;
const SAMPLES = ["records-1.ndjson", "records-2.ndjson", "records-9.ndjson.gz"];
const MAX_ANNOUNCED_FILES = 5; // announced one by one to screen readers; of more files, only their number is announced
const MAX_COLUMNS = 8;

export function files({ stack, visitor, settings }) {
  const { bucket, prefix, table, suffixes, maxFileBytes } = settings;
  const problem = byId("files-problem");
  const folder = `${prefix}console/`;
  const list = new FileList(GROUPS);
  byId("files-hint").textContent =
    `${suffixes.length ? suffixes.join(", ") : "Any name"}, up to ${formatSize(maxFileBytes)} each. They are stored below ${folder}`;

  async function uploadFiles(chosen) {
    const waiting = [...chosen];
    if (!waiting.length) return;
    const { userChangeCount } = visitor;
    const isAnnounced = waiting.length <= MAX_ANNOUNCED_FILES;
    await runAction(problem, async () => {
      visitor.credentials; // It throws if there are none, so that this is reported once and not for each file.
      const [count, results] = [waiting.length, []];
      await Promise.all(Array.from({ length: MAX_CONCURRENT_UPLOADS }, async () => {
        for (let file = waiting.shift(); file && userChangeCount === visitor.userChangeCount; file = waiting.shift()) results.push(await uploadAndTrack(file, isAnnounced));
      }));
      if (!isAnnounced) announce(`${results.filter(Boolean).length} of ${count} files are uploaded.`);
    });
  }

  // Upload a file and show its state. Return true if it was uploaded.
  async function uploadAndTrack(file, isAnnounced) {
    const { bar, setShare } = progress(`${file.name}, uploaded`);
    const state = el("div", { class: "about" }, bar);
    const fileProblem = el("p", { class: "problem", role: "alert", hidden: true });
    const title = el("div", { class: "bar" }, el("strong", { class: "name", text: file.name }), el("span", { class: "hint", text: formatSize(file.size) }));
    const entry = { name: file.name, group: "uploading", node: el("li", { class: "card" }, title, state, fileProblem) };
    list.add(entry);
    const version = await runAction(fileProblem, () => upload(file, setShare));
    entry.group = version ? "waiting" : "unsent";
    list.draw();
    if (version) runAction(fileProblem, () => pollState(entry, version, state, fileProblem, isAnnounced));
    else state.remove();
    return Boolean(version);
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
    return { startedAt, key, version, fileKey: `${key}#${version}` };
  }

  // Poll until the file reaches a final state. Other files are uploaded meanwhile.
  async function pollState(entry, version, state, fileProblem, isAnnounced) {
    setChildren(state, el("p", { class: "hint", text: "Uploaded. The stack has not noticed the file yet." }));
    const { userChangeCount } = visitor;
    let last = "";
    await poll(visitor, fileProblem, () => userChangeCount === visitor.userChangeCount, async () => {
      const record = await findRecord(version);
      if (!record) {
        if (Date.now() - version.startedAt <= NOTIFICATION_TIMEOUT_MS) return false;
        throw new Problem("The file is uploaded, but the stack has not noticed it after a minute.", { todo: "It is not lost. A nightly check finds it, and an operator can look for the cause.", retryable: true });
      }
      if (record.status !== last) {
        last = record.status;
        entry.group = GROUP_OF_STATUS[record.status] ?? "waiting";
        const text = drawState(state, record);
        if (record.status === "processed" && stack.local) state.append(createRowViewer(record, version, fileProblem));
        list.draw();
        if (isAnnounced) announce(`${entry.name}: ${text}`);
      }
      return FINAL_STATUSES.has(record.status);
    });
  }

  // The partition key of a file's record is the UTC date of its arrival. Around midnight the page cannot know it, so it tries several dates.
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
  byId("files-sample").addEventListener("click", (event) => runAction(problem, async () => {
    await uploadFiles(await Promise.all(SAMPLES.map(fetchSample)));
  }, event.target));
  byId("files-flush").addEventListener("click", (event) => runAction(problem, async () => {
    const { files: count, manifests } = await flushFiles();
    const started = manifests > 1 ? "Runs have started for the waiting files." : count === 1 ? "A run has started for 1 waiting file." : `A run has started for ${count} waiting files.`;
    byId("files-flushed").textContent = count ? started : "No file is waiting.";
    byId("files-flushed").hidden = false;
  }, event.target));
  // Another user must not see these files.
  visitor.addEventListener("userchange", () => list.clear());
  byId("files-note").textContent = stack.local
    ? "The button starts a run for the waiting files at once. On AWS a page cannot do that, because each run costs money: files wait there until enough are together, or for up to an hour."
    : "A run starts when enough files are waiting, or after an hour. Then query the rows with Athena.";
}

// Show the state of a file. Return its explanation.
function drawState(state, { status, reason = "" }) {
  const step = STATUSES.indexOf(status);
  // A reason may have a detail after a colon, for example `no_good_line:not_json`.
  const text = status === "rejected" ? `${EXPLANATIONS.rejected}: ${REASONS[reason.split(":")[0]] ?? UNKNOWN_REASON}` : [EXPLANATIONS[status], REMARKS[reason]].filter(Boolean).join(" ");
  setChildren(
    state,
    step < 0 ? badge(...(BADGES[status] ?? ["Unknown", "plain"])) : steps(Object.values(STEPS), step === STATUSES.length - 1 ? STATUSES.length : step),
    el("p", { class: "hint", text }),
  );
  return text;
}

// Create a button that shows the first rows of a processed file. Only the local platform's server can read them.
function createRowViewer(record, { key, version }, fileProblem) {
  const rows = el("div", { class: "rows", role: "region", "aria-label": `Rows of ${key}`, tabindex: "0", hidden: true });
  const summary = el("p", { class: "hint", hidden: true });
  const button = el("button", { type: "button", class: "small", text: "Show rows", "aria-expanded": "false", onclick: () => runAction(fileProblem, async () => {
    if (!rows.childElementCount) {
      button.textContent = "Reading rows …";
      try {
        const found = await fetchRows({ manifest: record.manifest_id ?? "", key, version });
        rows.append(createTable(found.rows));
        summary.textContent = found.total === 1 ? "1 row" : found.rows.length < found.total ? `The first ${found.rows.length} of ${found.total} rows` : `${found.total} rows`;
      } catch (failure) {
        button.textContent = "Show rows";
        throw failure;
      }
    }
    const isShown = rows.hidden;
    rows.hidden = summary.hidden = !isShown;
    button.textContent = isShown ? "Hide rows" : "Show rows";
    button.setAttribute("aria-expanded", String(isShown));
  }, button) });
  return el("div", { class: "viewer" }, button, summary, rows);
}

// Create a table of rows, without the columns that ingestion added. Their names begin with an underscore.
function createTable(rows) {
  const columns = [...new Set(rows.flatMap(Object.keys))].filter((name) => !name.startsWith("_")).slice(0, MAX_COLUMNS);
  const cell = (value) => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));
  return el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col", text: "Line" }), ...columns.map((name) => el("th", { scope: "col", text: name })))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, el("th", { scope: "row", text: String(row._source_line) }), ...columns.map((name) => el("td", { text: cell(row[name]) }))))));
}
