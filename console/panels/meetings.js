// Panel of meetings: uploads recordings and reads their results with the visitor's credentials.

import { badge, bring, byId, clear, el, progress, say, silence, steps } from "../lib/dom.js";
import { Meetings, matches, ordered } from "../lib/meetings.js";
import { Problem, attempt, show } from "../lib/problems.js";
import { watch } from "../lib/watch.js";
import { clock, day, list } from "../lib/words.js";

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
const UNSEEN_MS = 120000;

export function meetings({ stack, visitor }) {
  const api = new Meetings(stack, visitor);
  const problem = byId("meetings-problem");
  const player = byId("meetings-player");
  let records = [];
  let after;
  let shown = null;
  byId("meetings-started").value = local(new Date());

  // The index may be older than the meeting that was just read.
  async function refresh({ older = false, read = null } = {}) {
    const { users } = visitor;
    const page = await api.newest(older ? after : undefined);
    if (users !== visitor.users) return; // The page belongs to the previous visitor.
    records = older ? [...records, ...page.items] : page.items;
    records = records.map((record) => (record.meetingId === read?.meetingId ? read : record));
    after = page.after;
    choices();
  }

  function choices() {
    const wanted = { participant: byId("meetings-by").value, tag: byId("meetings-tagged").value };
    const found = records.filter((record) => matches(record, wanted));
    byId("meetings-more").hidden = !after;
    byId("meetings-none").hidden = found.length > 0;
    byId("meetings-none").textContent = records.length ? "No meeting matches." : "None yet.";
    clear(byId("meetings-list"), ...found.map((record) => el("li", {}, el("button", { type: "button", class: "choice", "aria-current": record.meetingId === shown?.meetingId ? "true" : null, onclick: () => attempt(problem, () => open(record.meetingId)) },
      el("span", { class: "name", text: record.title }), el("span", { class: "hint", text: [day(record.startedAt), ...record.participants].join(" · ") }), badge(record.status, STATUSES[record.status])))));
  }

  // Show a meeting and update it until it is ready or failed. A new upload takes a moment to appear in the table.
  async function open(meetingId, title = "") {
    const mine = { meetingId };
    shown = mine;
    const began = Date.now();
    let before = "";
    let looked = false;
    if (title) {
      draw({ title, status: "processing", participants: [], tags: [] });
      bring(byId("meetings-one"));
      looked = true;
    }
    await watch(visitor, problem, () => shown === mine, async () => {
      const record = await api.find(meetingId);
      if (shown !== mine) return true;
      if (!record) {
        if (Date.now() - began <= UNSEEN_MS) return false;
        throw new Problem("The recording is uploaded, but the meeting is not in the table after two minutes.", { todo: "Look again later, because a sweep finds it. An operator can look for the cause (runbook meetings-late)." });
      }
      const status = [record.status, record.stage, record.wrongCount].join(" ");
      if (status !== before) {
        draw(record);
        if (!looked) bring(byId("meetings-one"));
        looked = true;
        refresh({ read: record }).catch(() => {});
        if (record.status === "ready") {
          await read(record, mine);
          if (shown === mine) say(`${record.title} is ready.`);
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
    clear(byId("meetings-status"), badge(record.status, STATUSES[record.status]));
    const place = record.status === "ready" ? STAGES.length : Math.max(0, STAGES.indexOf(record.stage ?? "uploaded"));
    clear(byId("meetings-steps"), record.status === "failed" ? null : steps(STAGES, place));
    silence(player);
    const notes = [];
    if (record.reason) notes.push(el("p", { class: record.status === "failed" ? "problem" : "hint", text: `${REASONS[record.reason] ?? INTERNAL} (${record.reason})` }));
    if (record.status === "incomplete") {
      notes.push(el("p", { class: "problem", text: `${record.wrongCount} chunks are missing or differ from complete.json. Processing continues when they arrive. Or upload the recording again.` }));
    }
    clear(byId("meetings-made"), ...notes);
  }

  async function read(record, mine) {
    const [summary, transcript] = await Promise.all([api.document(record.summaryKey), api.document(record.transcriptKey)]);
    const url = record.videoKey ? await api.videoUrl(record.videoKey) : null;
    if (shown !== mine) return;
    if (url) {
      player.src = url;
      player.hidden = false;
    }
    const jump = (ms) => {
      player.currentTime = ms / 1000;
      player.play().catch(() => {});
      player.focus();
    };
    const time = (ms) => el("button", { type: "button", class: "time", text: clock(ms), "aria-label": `Play from ${clock(ms)}`, onclick: () => jump(ms) });
    const made = byId("meetings-made");
    if (summary) {
      made.append(el("h3", { text: "Summary" }), el("p", { class: "answer", text: summary.summary }));
      made.append(el("h3", { text: summary.actionItems.length ? "Action items" : "No action items" }));
      made.append(el("ul", { class: "findings" }, ...summary.actionItems.map((item) => el("li", { class: "finding" },
        el("strong", { text: item.text }),
        el("p", { class: "hint", text: [item.owner, item.due].filter(Boolean).join(" · ") }),
        el("div", { class: "bar" }, time(item.quote.startMs), el("q", { text: item.quote.text }))))));
    }
    if (transcript?.said.length) {
      const said = transcript.said.map((segment) => el("li", {}, time(segment.startMs), el("span", { class: "hint", text: segment.speaker }), el("span", { text: segment.text })));
      made.append(el("details", {}, el("summary", { text: `Transcript, ${clock(transcript.durationMs)}` }), el("ol", { class: "said" }, ...said)));
    }
  }

  byId("meetings-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [title, started, participants, tags] = ["title", "started", "participants", "tags"].map((field) => byId(`meetings-${field}`).value.trim());
    const files = ordered(byId("meetings-files").files);
    const bars = files.map((file) => progress(`${file.name}, uploaded`));
    clear(byId("meetings-progress"), ...bars.map((progressBar) => progressBar.bar));
    const { users } = visitor;
    attempt(problem, async () => {
      const said = { title, startedAt: new Date(started).toISOString(), participants: list(participants), tags: list(tags) };
      const meetingId = await api.upload(said, files, (place, share) => bars[place].to(share));
      if (users !== visitor.users) return null;
      event.target.reset();
      byId("meetings-started").value = local(new Date());
      return meetingId;
    }, event.submitter).then((meetingId) => {
      clear(byId("meetings-progress"));
      if (meetingId) attempt(problem, () => open(meetingId, title));
    });
  });
  byId("meetings-filter").addEventListener("input", choices);
  byId("meetings-filter").addEventListener("submit", (event) => event.preventDefault());
  byId("meetings-again").addEventListener("click", (event) => attempt(problem, () => refresh(), event.target));
  byId("meetings-more").addEventListener("click", (event) => attempt(problem, () => refresh({ older: true }), event.target));
  // Another user must not see these meetings. After a new sign-in of the same user they stay.
  visitor.addEventListener("another", () => {
    [records, after, shown] = [[], undefined, null];
    silence(player);
    byId("meetings-name").textContent = "";
    byId("meetings-one").hidden = true;
    byId("meetings-empty").hidden = false;
    clear(byId("meetings-made"));
    show(problem, null);
    choices();
  });
  visitor.addEventListener("change", () => {
    if (!byId("panel-meetings").hidden) attempt(problem, () => refresh());
  });
  return () => attempt(problem, () => refresh());
}

// Format a date for the form's field, in local time.
function local(moment) {
  return new Date(moment - moment.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
