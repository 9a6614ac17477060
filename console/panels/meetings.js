// Panel of meetings: uploads recordings and reads their results with the visitor's credentials.

import { announce, badge, byId, el, focusAndScroll, progress, setChildren, steps, unloadPlayer } from "../lib/dom.js";
import { formatDate, formatTime, parseList } from "../lib/format.js";
import { Meetings, matchesFilter, sortChunks } from "../lib/meetings.js";
import { poll } from "../lib/poll.js";
import { Problem, runAction, showProblem } from "../lib/problems.js";

const STAGES = ["uploaded", "media", "transcription", "summary", "ready"];
const STATUSES = { incomplete: "warn", processing: "now", ready: "good", failed: "bad" };
const REASONS = {
  NO_AUDIO: "The recording has no audio track, so it cannot be transcribed.",
  NOTHING_SAID: "The recording contains no speech, so there is no summary.",
  MALFORMED: "The upload's complete.json is invalid. Upload the recording again.",
  NEVER_COMPLETE: "Chunks were still missing when the others expired. Upload the recording again.",
  UNREADABLE: "The recording cannot be decoded. Upload another file.",
  TOO_LARGE: "The recording is longer or larger than this stack allows. Upload it in parts, as several meetings.",
};
const INTERNAL = "Processing failed, also after retries. Upload the recording again, or contact the operator of the stack.";
const RECORD_TIMEOUT_MS = 120000;

export function meetings({ stack, visitor }) {
  const api = new Meetings(stack, visitor);
  const problem = byId("meetings-problem");
  const player = byId("meetings-player");
  let records = []; // all meetings that were listed so far
  let after; // start key of the next page, or undefined after the last page
  let shown = null; // the meeting on the screen
  byId("meetings-started").value = toLocalTime(new Date());

  // The index may be older than the meeting that was just read.
  async function refresh({ older = false, updated = null } = {}) {
    const { userChangeCount } = visitor;
    const page = await api.listNewest(older ? after : undefined);
    if (userChangeCount !== visitor.userChangeCount) return; // The page belongs to the previous visitor.
    records = older ? [...records, ...page.items] : page.items;
    records = records.map((record) => (record.meetingId === updated?.meetingId ? updated : record));
    after = page.after;
    drawList();
  }

  function drawList() {
    const wanted = { participant: byId("meetings-by").value, tag: byId("meetings-tagged").value };
    const matching = records.filter((record) => matchesFilter(record, wanted));
    byId("meetings-more").hidden = !after;
    byId("meetings-none").hidden = matching.length > 0;
    byId("meetings-none").textContent = records.length ? "No meeting matches." : "None yet.";
    setChildren(byId("meetings-list"), ...matching.map((record) => el("li", {}, el("button", { type: "button", class: "choice", "aria-current": record.meetingId === shown?.meetingId ? "true" : null, onclick: () => runAction(problem, () => open(record.meetingId)) },
      el("span", { class: "name", text: record.title }), el("span", { class: "hint", text: [formatDate(record.startedAt), ...record.participants].join(" · ") }), badge(record.status, STATUSES[record.status])))));
  }

  // Show a meeting and update it until it is ready or failed. A new upload takes a moment to appear in the table.
  async function open(meetingId, title = "") {
    const current = { meetingId };
    shown = current;
    const startedAt = Date.now();
    let before = "";
    let hasFocused = false;
    if (title) {
      draw({ title, status: "processing", participants: [], tags: [] });
      focusAndScroll(byId("meetings-one"));
      hasFocused = true;
    }
    await poll(visitor, problem, () => shown === current, async () => {
      const record = await api.find(meetingId);
      if (shown !== current) return true;
      if (!record) {
        if (Date.now() - startedAt <= RECORD_TIMEOUT_MS) return false;
        throw new Problem("The recording is uploaded, but the meeting is not in the table after two minutes.", { todo: "Look again later, because a sweep finds it. An operator can look for the cause (runbook meetings-late)." });
      }
      const status = [record.status, record.stage, record.wrongCount].join(" ");
      if (status !== before) {
        draw(record);
        if (!hasFocused) focusAndScroll(byId("meetings-one"));
        hasFocused = true;
        refresh({ updated: record }).catch(() => {});
        if (record.status === "ready") {
          await drawResults(record, current);
          if (shown === current) announce(`${record.title} is ready.`);
        }
        before = status;
      }
      return record.status === "ready" || record.status === "failed";
    });
  }

  function draw(record) {
    byId("meetings-empty").hidden = true;
    byId("meetings-new").open = false;
    byId("meetings-one").hidden = false;
    byId("meetings-name").textContent = record.title;
    setChildren(byId("meetings-status"), badge(record.status, STATUSES[record.status]));
    const step = record.status === "ready" ? STAGES.length : Math.max(0, STAGES.indexOf(record.stage ?? "uploaded"));
    setChildren(byId("meetings-steps"), record.status === "failed" ? null : steps(STAGES, step));
    unloadPlayer(player);
    const notes = [];
    if (record.reason) notes.push(el("p", { class: record.status === "failed" ? "problem" : "hint", text: `${REASONS[record.reason] ?? INTERNAL} (${record.reason})` }));
    if (record.status === "incomplete") {
      notes.push(el("p", { class: "problem", text: `${record.wrongCount} chunks are missing or differ from complete.json. Processing continues when they arrive. Or upload the recording again.` }));
    }
    setChildren(byId("meetings-made"), ...notes);
  }

  // Load the video. If its URL expires, sign another one and continue at the same position. A player does not report the status,
  // so this happens after every failed request, but only once until a request succeeds.
  async function loadVideo(key, current) {
    let isRenewed = false;
    const load = async () => {
      const url = await api.presignVideoUrl(key);
      if (shown === current) player.src = url;
    };
    player.onloadedmetadata = () => { isRenewed = false; };
    player.onerror = () => {
      if (shown !== current || isRenewed || player.error.code === MediaError.MEDIA_ERR_DECODE) return;
      isRenewed = true;
      const { currentTime, paused } = player;
      runAction(problem, async () => {
        await load();
        if (shown !== current) return;
        player.currentTime = currentTime;
        if (!paused) player.play().catch(() => {});
      });
    };
    await load();
    if (shown === current) player.hidden = false;
  }

  async function drawResults(record, current) {
    const [summary, transcript] = await Promise.all([api.getDocument(record.summaryKey), api.getDocument(record.transcriptKey)]);
    if (record.videoKey) await loadVideo(record.videoKey, current);
    if (shown !== current) return;
    const jump = (ms) => {
      player.currentTime = ms / 1000;
      player.play().catch(() => {});
      player.focus();
    };
    const timeButton = (ms) => el("button", { type: "button", class: "time", text: formatTime(ms), "aria-label": `Play from ${formatTime(ms)}`, onclick: () => jump(ms) });
    const results = byId("meetings-made");
    if (summary) {
      results.append(el("h3", { text: "Summary" }), el("p", { class: "answer", text: summary.summary }));
      results.append(el("h3", { text: summary.actionItems.length ? "Action items" : "No action items" }));
      results.append(el("ul", { class: "findings" }, ...summary.actionItems.map((item) => el("li", { class: "finding" },
        el("strong", { text: item.text }),
        el("p", { class: "hint", text: [item.owner, item.due].filter(Boolean).join(" · ") }),
        el("div", { class: "bar" }, timeButton(item.quote.startMs), el("q", { text: item.quote.text }))))));
    }
    if (transcript?.said.length) {
      const segments = transcript.said.map((segment) => el("li", {}, timeButton(segment.startMs), el("span", { class: "hint", text: segment.speaker }), el("span", { text: segment.text })));
      results.append(el("details", {}, el("summary", { text: `Transcript, ${formatTime(transcript.durationMs)}` }), el("ol", { class: "said" }, ...segments)));
    }
  }

  byId("meetings-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [title, started, participants, tags] = ["title", "started", "participants", "tags"].map((field) => byId(`meetings-${field}`).value.trim());
    const files = sortChunks(byId("meetings-files").files);
    const bars = files.map((file) => progress(`${file.name}, uploaded`));
    setChildren(byId("meetings-progress"), ...bars.map((progressBar) => progressBar.bar));
    const { userChangeCount } = visitor;
    runAction(problem, async () => {
      const details = { title, startedAt: new Date(started).toISOString(), participants: parseList(participants), tags: parseList(tags) };
      const meetingId = await api.upload(details, files, (index, share) => bars[index].setShare(share));
      if (userChangeCount !== visitor.userChangeCount) return null;
      event.target.reset();
      byId("meetings-started").value = toLocalTime(new Date());
      return meetingId;
    }, event.submitter).then((meetingId) => {
      setChildren(byId("meetings-progress"));
      if (meetingId) runAction(problem, () => open(meetingId, title));
    });
  });
  byId("meetings-filter").addEventListener("input", drawList);
  byId("meetings-filter").addEventListener("submit", (event) => event.preventDefault());
  byId("meetings-again").addEventListener("click", (event) => runAction(problem, () => refresh(), event.target));
  byId("meetings-more").addEventListener("click", (event) => runAction(problem, () => refresh({ older: true }), event.target));
  // Another user must not see these meetings. After a new sign-in of the same user they stay.
  visitor.addEventListener("userchange", () => {
    [records, after, shown] = [[], undefined, null];
    unloadPlayer(player);
    byId("meetings-name").textContent = "";
    byId("meetings-one").hidden = true;
    byId("meetings-empty").hidden = false;
    setChildren(byId("meetings-made"));
    showProblem(problem, null);
    drawList();
  });
  visitor.addEventListener("signin", () => {
    if (!byId("panel-meetings").hidden) runAction(problem, () => refresh());
  });
  return () => runAction(problem, () => refresh());
}

// Format a date for the form's field, in local time.
function toLocalTime(date) {
  return new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
