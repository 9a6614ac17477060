// Panel of the livestream backend: uploads an episode's transcript and video, and shows its claims on a timeline.

import { ChunkPlayer } from "../lib/chunk-player.js";
import { announce, badge, byId, el, focusAndScroll, progress, setChildren, steps } from "../lib/dom.js";
import { LivestreamApi, contentType } from "../lib/livestream-api.js";
import { formatDate, formatSize, formatTime, parseList } from "../lib/format.js";
import { ulid } from "../lib/ids.js";
import { fetchSample } from "../lib/local-platform.js";
import { poll } from "../lib/poll.js";
import { runAction, showProblem } from "../lib/problems.js";
import { timeline } from "../lib/timeline.js";

// Steps of an episode's transcript and of its video, by the state of their processing.
const STEPS = {
  transcript: { requested: "Uploading", uploaded: "Uploaded", analyzing: "Checking", analyzed: "Checked" },
  video: { requested: "Uploading", uploaded: "Uploaded", chunking: "Cutting", chunked: "Cut" },
};
const VERDICTS = { supported: "good", refuted: "bad", misleading: "warn", unverified: "plain" };
const STATUSES = { draft: ["Empty", "plain"], uploading: ["Waiting for an upload", "now"], processing: ["Processing", "now"], ready: ["Ready", "good"], failed: ["Failed", "bad"] };
const REASONS = {
  NEVER_UPLOADED: "The file did not arrive in time. Choose it again.",
  TOO_LARGE: "The file is too long or too large. Choose a shorter one.",
  EMPTY: "The transcript contains no text. Choose another file.",
  UNREADABLE: "The transcript cannot be read: its format or one of its times is invalid. Correct it and choose it again.",
  CHUNKING_FAILED: "The video cannot be read or cut. Choose another file.",
  ANALYSIS_FAILED: "The agent could not check the transcript. Choose it again, or contact the operator of the stack.",
  TIMED_OUT: "Processing took too long. Choose the file again, or contact the operator of the stack.",
};
const UNKNOWN_REASON = "Processing failed. Choose the file again, or contact the operator of the stack.";

export function episodes({ visitor, settings }) {
  const api = new LivestreamApi(settings, visitor);
  const problem = byId("episodes-problem");
  const player = byId("episodes-player");
  const chunkPlayer = new ChunkPlayer(api, player, (failure) => showProblem(byId("episodes-unplayable"), failure));
  let shown = null; // the episode on the screen
  let drawn = ""; // the findings on the screen, as JSON
  byId("episodes-video-hint").textContent = `MP4, MOV, WebM or MKV, up to ${formatSize(settings.maxVideoGigabytes * 1e9)}.`;

  // Read and show the list of episodes. It may be older than `updated`, an episode that was just read.
  async function refresh(updated) {
    const { userChangeCount } = visitor;
    const listed = await api.list();
    if (userChangeCount !== visitor.userChangeCount) return; // The list belongs to the previous visitor.
    drawList(listed.map((episode) => (episode.episodeId === updated?.episodeId ? updated : episode)));
  }

  function drawList(listed) {
    byId("episodes-none").hidden = listed.length > 0;
    setChildren(byId("episodes-list"), ...listed.map((episode) => el("li", {}, el("button", { type: "button", class: "choice", "aria-current": episode.episodeId === shown?.episodeId ? "true" : null, onclick: () => runAction(problem, () => open(episode.episodeId)) },
      el("span", { class: "name", text: episode.title }), el("span", { class: "hint", text: formatDate(episode.createdAt) }), badge(...STATUSES[episode.status])))));
  }

  // Show an episode and update it while the backend processes it.
  async function open(id) {
    const current = { episodeId: id };
    shown = current;
    let before = "";
    let hasFocused = false;
    await poll(visitor, problem, () => shown === current, async () => {
      const episode = await api.get(id);
      if (shown !== current) return true;
      const status = [episode.status, episode.transcript.state, episode.video.state].join(" ");
      if (status !== before) {
        await draw(episode, current);
        if (shown !== current) return true;
        if (before) announce([episode.title, ...["transcript", "video"].filter((kind) => episode[kind].state !== "none").map((kind) => `${kind}: ${describeTrack(kind, episode[kind])}`)].join(". "));
        before = status;
        if (!hasFocused) focusAndScroll(byId("episodes-one"));
        hasFocused = true;
        refresh(episode).catch(() => {});
      }
      return !["uploading", "processing"].includes(episode.status);
    });
  }

  async function draw(episode, current) {
    // The findings are read first, because they would otherwise be redrawn under the hands of a visitor who sees that the episode is ready.
    const ready = episode.transcript.state === "analyzed";
    const [claims, clips] = ready ? await Promise.all(["claims", "clips"].map((kind) => api.listFindings(episode.episodeId, kind))) : [[], []];
    if (shown !== current) return;
    byId("episodes-empty").hidden = true;
    byId("episodes-new").open = false;
    byId("episodes-one").hidden = false;
    byId("episodes-name").textContent = episode.title;
    setChildren(byId("episodes-status"), badge(...STATUSES[episode.status]));
    for (const kind of ["transcript", "video"]) {
      const { state } = episode[kind];
      const names = Object.values(STEPS[kind]);
      const step = Object.keys(STEPS[kind]).indexOf(state);
      const done = step === names.length - 1;
      // A transcript or video that is being processed or is done cannot be uploaded again.
      byId(`episodes-${kind}-choice`).hidden = !["none", "requested", "failed"].includes(state);
      setChildren(byId(`episodes-${kind}`),
        state === "none" ? el("p", { class: "hint", text: "None yet." }) : state === "failed" ? el("p", { class: "problem", text: describeTrack(kind, episode[kind]) }) : steps(names, done ? names.length : step));
    }
    if (episode.video.state === "chunked") chunkPlayer.open(episode.episodeId);
    else chunkPlayer.close();
    // Redrawing an unchanged list would take the keyboard focus from its controls.
    const content = JSON.stringify([episode.episodeId, ready, claims, clips, player.hidden]);
    if (content === drawn) return;
    drawn = content;
    setChildren(byId("episodes-findings"), ...(ready ? createFindings(claims, clips) : []));
  }

  function createFindings(claims, clips) {
    const jump = (ms) => !player.hidden && chunkPlayer.playFrom(ms / 1000);
    if (!claims.length && !clips.length) return [el("p", { class: "hint", text: "The transcript contains no claims." })];
    // A time is a button only if there is a video in which it can be played.
    const createTime = (ms, text) => (player.hidden ? el("span", { class: "time", text }) : el("button", { type: "button", class: "time", onclick: () => jump(ms), text, "aria-label": `Play the video from ${text}` }));
    const claimItems = claims.map((claim) => el("li", { id: `claim-${claim.claimId}`, class: "finding", tabindex: "-1" },
      el("div", { class: "bar" }, createTime(claim.startMs, formatTime(claim.startMs)), badge(claim.verdict, VERDICTS[claim.verdict]),
        el("span", { class: "hint", text: `${Math.round(claim.confidence * 100)} % confidence${claim.speaker ? ` · ${claim.speaker}` : ""}` })),
      el("q", { text: claim.quote }),
      claim.explanation ? el("p", { text: claim.explanation }) : null,
      claim.sources?.length ? el("p", { class: "hint", text: `Sources: ${claim.sources.join("; ")}` }) : null));
    const clipItems = clips.map((clip) => el("li", { id: `clip-${clip.clipId}`, class: "finding", tabindex: "-1" },
      el("div", { class: "bar" }, createTime(clip.startMs, `${formatTime(clip.startMs)}–${formatTime(clip.endMs)}`), el("strong", { text: clip.title })),
      clip.reason ? el("p", { text: clip.reason }) : null));
    const marks = [
      ...claims.map((claim) => ({ ...claim, row: 0, kind: VERDICTS[claim.verdict], label: `Claim at ${formatTime(claim.startMs)}, ${claim.verdict}: ${claim.quote}`, to: `claim-${claim.claimId}` })),
      ...clips.map((clip) => ({ ...clip, row: 1, kind: "clip", label: `Clip from ${formatTime(clip.startMs)} to ${formatTime(clip.endMs)}: ${clip.title}`, to: `clip-${clip.clipId}` })),
    ];
    const select = (mark) => {
      byId(mark.to).focus();
      jump(mark.startMs);
    };
    return [
      el("h3", { text: "Timeline" }), timeline(marks, ["Claims", "Clips"], select),
      el("h3", { text: claims.length === 1 ? "1 claim" : `${claims.length} claims` }), el("ol", { class: "findings" }, ...claimItems),
      el("h3", { text: clips.length === 1 ? "1 suggested clip" : `${clips.length} suggested clips` }), el("ol", { class: "findings" }, ...clipItems),
    ];
  }

  byId("episodes-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [title, speakers, language] = ["title", "speakers", "language"].map((field) => byId(`episodes-${field}`).value.trim());
    const { userChangeCount } = visitor;
    runAction(problem, async () => {
      const episode = await api.create({ title, language, speakers: parseList(speakers), episodeId: ulid() });
      if (userChangeCount !== visitor.userChangeCount) return null;
      byId("episodes-title").value = byId("episodes-speakers").value = "";
      return episode.episodeId;
    }, event.submitter).then((episodeId) => episodeId && runAction(problem, () => open(episodeId)));
  });
  for (const kind of ["transcript", "video"]) {
    const input = byId(`episodes-${kind}-file`);
    input.addEventListener("change", () => {
      const [file] = input.files;
      if (!file || !shown) return;
      const { episodeId } = shown;
      const { userChangeCount } = visitor;
      const { bar, setShare } = progress(`${file.name}, uploaded`);
      const progressNode = byId(`episodes-${kind}-progress`);
      setChildren(progressNode, bar);
      runAction(problem, async () => {
        await api.upload(episodeId, kind, file, contentType(kind, file), setShare);
        return userChangeCount === visitor.userChangeCount && shown?.episodeId === episodeId;
      }, input).then((isShown) => {
        setChildren(progressNode);
        input.value = "";
        if (isShown) runAction(problem, () => open(episodeId));
      });
    });
  }

  byId("episodes-sample").addEventListener("click", (event) => {
    const { userChangeCount } = visitor;
    runAction(problem, async () => {
      const files = { transcript: await fetchSample("episode.srt"), video: await fetchSample("episode.mp4") };
      const { episodeId } = await api.create({ title: "Sample episode", language: "en-US", speakers: ["Ann", "Bob"], episodeId: ulid() });
      for (const [kind, file] of Object.entries(files)) await api.upload(episodeId, kind, file, contentType(kind, file), () => {});
      return userChangeCount === visitor.userChangeCount ? episodeId : null;
    }, event.target).then((episodeId) => episodeId && runAction(problem, () => open(episodeId)));
  });
  byId("episodes-again").addEventListener("click", (event) => runAction(problem, () => refresh(), event.target));
  // Another user must not see these episodes. After a new sign-in of the same user they stay.
  visitor.addEventListener("userchange", () => {
    [shown, drawn] = [null, ""];
    chunkPlayer.close();
    byId("episodes-name").textContent = "";
    byId("episodes-one").hidden = true;
    byId("episodes-empty").hidden = false;
    setChildren(byId("episodes-findings"));
    showProblem(problem, null);
    drawList([]);
  });
  visitor.addEventListener("signin", () => {
    if (!byId("panel-episodes").hidden) runAction(problem, () => refresh());
  });
  return () => runAction(problem, () => refresh());
}

const describeTrack = (kind, { state, reason }) => (state === "failed" ? REASONS[reason] ?? UNKNOWN_REASON : STEPS[kind][state] ?? "");
