// Meetings: a recording is uploaded with the visitor's own credentials; what came of it is read with them.

import { badge, bring, byId, clear, el, progress, say, silence, steps } from "../lib/dom.js";
import { Meetings, matches, ordered } from "../lib/meetings.js";
import { Problem, attempt, show } from "../lib/problems.js";
import { watch } from "../lib/watch.js";
import { clock, day, list } from "../lib/words.js";

const STAGES = ["uploaded", "media", "transcription", "summary", "ready"];
const STATUSES = { incomplete: "warn", processing: "now", ready: "good", failed: "bad" };
const REASONS = {
  NO_AUDIO: "The recording has no sound, so there is nothing to transcribe.",
  NOTHING_SAID: "Nobody says anything in it, so there is no summary.",
  MALFORMED: "What was uploaded says nothing that can be used. Upload it again.",
  NEVER_COMPLETE: "Chunks were still missing when the others expired. Upload it again.",
  UNREADABLE: "This is no recording that can be decoded. Upload another file.",
  TOO_LARGE: "The recording is longer or larger than this stack takes. Upload it in parts, as several meetings.",
};
const MACHINERY = "The machinery failed, after its retries. Upload it again, or tell whoever runs the stack.";
const UNSEEN_MS = 120000;

export function meetings({ stack, visitor }) {
  const api = new Meetings(stack, visitor);
  const problem = byId("meetings-problem");
  const player = byId("meetings-player");
  let records = [];
  let after;
  let shown = null;
  byId("meetings-started").value = local(new Date());

  // The index may be a moment behind what was just `read` of a meeting itself.
  async function refresh({ older = false, read = null } = {}) {
    const { users } = visitor;
    const page = await api.newest(older ? after : undefined);
    if (users !== visitor.users) return; // it is of whoever was here before
    records = older ? [...records, ...page.items] : page.items;
    records = records.map((one) => (one.meetingId === read?.meetingId ? read : one));
    after = page.after;
    choices();
  }

  function choices() {
    const wanted = { participant: byId("meetings-by").value, tag: byId("meetings-tagged").value };
    const found = records.filter((one) => matches(one, wanted));
    byId("meetings-more").hidden = !after;
    byId("meetings-none").hidden = found.length > 0;
    byId("meetings-none").textContent = records.length ? "None of them fits." : "None yet.";
    clear(byId("meetings-list"), ...found.map((one) => el("li", {}, el("button", { type: "button", class: "choice", "aria-current": one.meetingId === shown?.meetingId ? "true" : null, onclick: () => attempt(problem, () => open(one.meetingId)) },
      el("span", { class: "name", text: one.title }), el("span", { class: "hint", text: [day(one.startedAt), ...one.participants].join(" · ") }), badge(one.status, STATUSES[one.status])))));
  }

  // Shows a meeting, and looks after it until it is ready or failed. One that was just uploaded takes a moment to be noticed.
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
        throw new Problem("Uploaded, and not in the table after two minutes.", { todo: "Look again later: a sweep finds it. An operator can look for why (runbook meetings-late)." });
      }
      const standing = [record.status, record.stage, record.wrongCount].join(" ");
      if (standing !== before) {
        draw(record);
        if (!looked) bring(byId("meetings-one"));
        looked = true;
        refresh({ read: record }).catch(() => {});
        if (record.status === "ready") {
          await read(record, mine);
          if (shown === mine) say(`${record.title} is ready.`);
        }
        before = standing;
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
    const told = [];
    if (record.reason) told.push(el("p", { class: record.status === "failed" ? "problem" : "hint", text: `${REASONS[record.reason] ?? MACHINERY} (${record.reason})` }));
    if (record.status === "incomplete") {
      told.push(el("p", { class: "problem", text: `${record.wrongCount} chunks are missing or not as promised. It goes on when they arrive; or upload the recording anew.` }));
    }
    clear(byId("meetings-made"), ...told);
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
      made.append(el("h3", { text: summary.actionItems.length ? "To do" : "Nothing to do was said" }));
      made.append(el("ul", { class: "findings" }, ...summary.actionItems.map((one) => el("li", { class: "finding" },
        el("strong", { text: one.text }),
        el("p", { class: "hint", text: [one.owner, one.due].filter(Boolean).join(" · ") }),
        el("div", { class: "bar" }, time(one.quote.startMs), el("q", { text: one.quote.text }))))));
    }
    if (transcript?.said.length) {
      const said = transcript.said.map((one) => el("li", {}, time(one.startMs), el("span", { class: "hint", text: one.speaker }), el("span", { text: one.text })));
      made.append(el("details", {}, el("summary", { text: `Transcript, ${clock(transcript.durationMs)}` }), el("ol", { class: "said" }, ...said)));
    }
  }

  byId("meetings-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [title, started, participants, tags] = ["title", "started", "participants", "tags"].map((one) => byId(`meetings-${one}`).value.trim());
    const files = ordered(byId("meetings-files").files);
    const bars = files.map((one) => progress(`${one.name}, uploaded`));
    clear(byId("meetings-progress"), ...bars.map((one) => one.bar));
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
  // Another visitor's meetings are not this one's to see; the same one's stay, under a new token.
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

// A moment as the form's field has it: in this machine's time.
function local(moment) {
  return new Date(moment - moment.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
