// Panel of meetings: uploads recordings and reads their results with the visitor's credentials.

import { announce, badge, byId, el, focusAndScroll, progress, setChildren, steps, unloadPlayer } from "../lib/dom.js";
import { formatDate, formatTime, parseList } from "../lib/format.js";
import { fetchSample, ENGLISH_ONLY } from "../lib/local-platform.js";
import { MeetingsApi, matchesFilter, sortChunks } from "../lib/meetings-api.js";
import { poll } from "../lib/poll.js";
import { Problem, runAction, showProblem } from "../lib/problems.js";

// Steps of a meeting, by its stage.
const STEPS = { uploaded: "Uploaded", media: "Joining", transcription: "Transcribing", summary: "Summarising", ready: "Ready" };
const STAGES = Object.keys(STEPS);
const STATUSES = { processing: ["Processing", "now"], ready: ["Ready", "good"], failed: ["Failed", "bad"] };
const REASONS = {
  NO_AUDIO: "The recording has no audio track, so it cannot be transcribed.",
  NOTHING_SAID: "Nothing was heard in the recording, so there is no summary.",
  MALFORMED: "The title, the participants, the tags or the list of chunks is invalid. Upload the recording again.",
  INCOMPLETE: "Chunks are missing or damaged. Upload the recording again.",
  UNREADABLE: "The recording cannot be decoded. Upload another file.",
  TOO_LARGE: "The recording is longer or larger than this stack allows. Upload it in parts, as several meetings.",
};
const INTERNAL = "Processing failed, also after retries. Upload the recording again, or contact the operator of the stack.";
const RECORD_TIMEOUT_MS = 120000; // time within which an uploaded recording normally gets a record in the table

export function meetings({ stack, visitor }) {
  const api = new MeetingsApi(stack, visitor);
  const problem = byId("meetings-problem");
  const [video, audio] = [byId("meetings-player"), byId("meetings-audio")];
  let playAt = () => {}; // plays the meeting on the screen from a time in milliseconds
  let records = []; // all meetings that were listed so far
  let after; // start key of the next page, or undefined after the last page
  let shown = null; // the meeting on the screen
  byId("meetings-started").value = toLocalTime(new Date());

  // Read and show a page of the list. The table's index may be older than `updated`, a meeting that was just read.
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
      el("span", { class: "name", text: record.title }), el("span", { class: "hint", text: [formatDate(record.startedAt), ...record.participants].join(" · ") }), badge(...STATUSES[record.status])))));
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
      if (record?.status === "deleted") {
        close();
        await refresh();
        return true;
      }
      if (!record) {
        if (Date.now() - startedAt <= RECORD_TIMEOUT_MS) return false;
        throw new Problem("The recording is uploaded, but its processing has not started after two minutes.", { todo: "Upload the recording again. An operator can look for the cause (runbook meetings-late)." });
      }
      const status = [record.status, record.stage].join(" ");
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

  // Show no meeting.
  function close() {
    shown = null;
    unloadPlayers();
    byId("meetings-name").textContent = "";
    byId("meetings-one").hidden = true;
    byId("meetings-empty").hidden = false;
    setChildren(byId("meetings-made"));
  }

  function draw(record) {
    byId("meetings-empty").hidden = true;
    byId("meetings-new").open = false;
    byId("meetings-one").hidden = false;
    byId("meetings-name").textContent = record.title;
    setChildren(byId("meetings-status"), badge(...STATUSES[record.status]));
    const step = record.status === "ready" ? STAGES.length : Math.max(0, STAGES.indexOf(record.stage ?? "uploaded"));
    setChildren(byId("meetings-steps"), record.status === "failed" ? null : steps(Object.values(STEPS), step));
    unloadPlayers();
    const notes = [];
    const localAdvice = record.reason === "NOTHING_SAID" && stack.local ? ` ${ENGLISH_ONLY}` : "";
    if (record.reason) notes.push(el("p", { class: record.status === "failed" ? "problem" : "hint", text: `${REASONS[record.reason] ?? INTERNAL}${localAdvice}` }));
    setChildren(byId("meetings-made"), ...notes);
  }

  function unloadPlayers() {
    for (const node of [video, audio]) unloadPlayer(node);
  }

  // Load the media of a finished meeting: its video, or the audio of a recording without one. Return false if there is none.
  async function loadMedia(record, current) {
    if (record.videoKey) {
      await loadVideo(record.videoKey, current);
      playAt = (ms) => playFrom(video, ms);
      return true;
    }
    return record.content && record.durationMs ? loadAudio(record, current) : false;
  }

  function playFrom(node, ms) {
    node.currentTime = ms / 1000;
    node.play().catch(() => {});
    node.focus();
  }

  // Load the audio, which is stored for a limited time, in parts of equal length. Return false if it is no longer stored.
  async function loadAudio(record, current) {
    const load = async (part) => {
      const url = await api.presignAudioUrl(record, part);
      if (shown !== current) return false;
      const isLoaded = await new Promise((resolve) => {
        audio.onloadedmetadata = () => resolve(true);
        audio.onerror = () => resolve(false);
        audio.src = url;
      });
      return isLoaded && shown === current;
    };
    if (!(await load(0))) return false;
    const [partMs, partCount] = [audio.duration * 1000, Math.max(1, Math.round(record.durationMs / (audio.duration * 1000)))];
    let loadedPart = 0;
    audio.hidden = false;
    playAt = (ms) => runAction(problem, async () => {
      const part = Math.min(Math.floor(ms / partMs), partCount - 1);
      // A part that failed, for example because its URL has expired, is loaded again.
      if ((part !== loadedPart || audio.error) && !(await load(part))) throw new Problem("The audio cannot be loaded.", { todo: "Open the meeting again." });
      loadedPart = part;
      playFrom(audio, ms - part * partMs);
    });
    return true;
  }

  // Load the video. If its URL expires, sign another one and continue at the same position. A player does not report why a request failed.
  // So every failed request is treated as an expired URL, but not twice without a success between.
  async function loadVideo(key, current) {
    let isRenewed = false;
    const load = async () => {
      const url = await api.presignVideoUrl(key);
      if (shown === current) video.src = url;
    };
    video.onloadedmetadata = () => { isRenewed = false; };
    video.onerror = () => {
      if (shown !== current || isRenewed || video.error.code === MediaError.MEDIA_ERR_DECODE) return;
      isRenewed = true;
      const { currentTime, paused } = video;
      runAction(problem, async () => {
        await load();
        if (shown !== current) return;
        video.currentTime = currentTime;
        if (!paused) video.play().catch(() => {});
      });
    };
    await load();
    if (shown === current) video.hidden = false;
  }

  async function drawResults(record, current) {
    const [summary, transcript] = await Promise.all([api.getDocument(record.summaryKey), api.getDocument(record.transcriptKey)]);
    const isPlayable = await loadMedia(record, current);
    if (shown !== current) return;
    // A time is a button only if it can be played.
    const createTime = (ms) => (isPlayable ? el("button", { type: "button", class: "time", text: formatTime(ms), "aria-label": `Play from ${formatTime(ms)}`, onclick: () => playAt(ms) }) : el("span", { class: "time", text: formatTime(ms) }));
    const results = byId("meetings-made");
    if (!isPlayable && !record.videoKey && transcript?.said.length) results.append(el("p", { class: "hint", text: "The audio of this recording is no longer stored, so quotes cannot be played." }));
    if (summary) {
      results.append(el("h3", { text: "Summary" }), el("p", { class: "answer", text: nameSpeakers(summary.summary) }));
      results.append(el("h3", { text: summary.actionItems.length ? "Action items" : "No action items" }));
      results.append(el("ul", { class: "findings" }, ...summary.actionItems.map((item) => el("li", { class: "finding" },
        el("strong", { text: item.text }),
        el("p", { class: "hint", text: [nameSpeakers(item.owner ?? ""), item.due].filter(Boolean).join(" · ") }),
        el("div", { class: "bar" }, createTime(item.quote.startMs), el("q", { text: item.quote.text }))))));
    }
    if (transcript?.said.length) {
      const segments = transcript.said.map((segment) => el("li", {}, createTime(segment.startMs), el("span", { class: "hint", text: nameSpeakers(segment.speaker) }), el("span", { text: segment.text })));
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
  byId("meetings-sample").addEventListener("click", (event) => {
    const { userChangeCount } = visitor;
    const title = "Sample meeting";
    runAction(problem, async () => {
      const details = { title, startedAt: new Date().toISOString(), participants: ["Ann", "Bob"], tags: ["sample"] };
      const meetingId = await api.upload(details, [await fetchSample("recording.mp4")], () => {});
      return userChangeCount === visitor.userChangeCount ? meetingId : null;
    }, event.target).then((meetingId) => meetingId && runAction(problem, () => open(meetingId, title)));
  });
  byId("meetings-delete").addEventListener("click", (event) => {
    const { meetingId } = shown;
    const name = byId("meetings-name").textContent;
    if (!window.confirm(`Delete "${name}" with its recording, transcript and summary?`)) return;
    runAction(problem, async () => {
      await api.delete(meetingId);
      if (shown?.meetingId === meetingId) close();
      announce(`${name} was deleted.`);
      await refresh();
    }, event.target);
  });
  byId("meetings-filter").addEventListener("input", drawList);
  byId("meetings-filter").addEventListener("submit", (event) => event.preventDefault());
  byId("meetings-again").addEventListener("click", (event) => runAction(problem, () => refresh(), event.target));
  byId("meetings-more").addEventListener("click", (event) => runAction(problem, () => refresh({ older: true }), event.target));
  // Another user must not see these meetings. After a new sign-in of the same user they stay.
  visitor.addEventListener("userchange", () => {
    [records, after] = [[], undefined];
    close();
    showProblem(problem, null);
    drawList();
  });
  visitor.addEventListener("signin", () => {
    if (!byId("panel-meetings").hidden) runAction(problem, () => refresh());
  });
  return () => runAction(problem, () => refresh());
}

// Amazon Transcribe names speakers spk_0, spk_1 and so on. Summaries use these names, too.
const nameSpeakers = (text) => text.replace(/\bspk_(\d+)\b/g, (_, number) => `Speaker ${Number(number) + 1}`);

// Format a date for the form's field, in local time.
function toLocalTime(date) {
  return new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
