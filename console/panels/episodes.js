// Livestream: an episode gets a transcript and a video; what is claimed in it comes as a timeline.

import { badge, bring, byId, clear, el, progress, say, silence, steps } from "../lib/dom.js";
import { Episodes, contentType } from "../lib/episodes.js";
import { ulid } from "../lib/ids.js";
import { attempt, show } from "../lib/problems.js";
import { timeline } from "../lib/timeline.js";
import { watch } from "../lib/watch.js";
import { clock, day, list, size } from "../lib/words.js";

const STATES = { transcript: ["requested", "uploaded", "analyzing", "analyzed"], video: ["requested", "uploaded", "chunking", "chunked"] };
const VERDICTS = { supported: "good", refuted: "bad", misleading: "warn", unverified: "plain" };
const STATUSES = { draft: "plain", uploading: "now", processing: "now", ready: "good", failed: "bad" };

export function episodes({ visitor, settings }) {
  const api = new Episodes(settings, visitor);
  const problem = byId("episodes-problem");
  const player = byId("episodes-player");
  const video = new Map();
  let shown = null;
  let drawn = "";
  byId("episodes-video-hint").textContent = `MP4, MOV, WebM or MKV, up to ${size(settings.maxVideoGigabytes * 1e9)}.`;

  // A list may be a moment behind what was just read of an episode itself.
  async function refresh(read) {
    const { users } = visitor;
    const listed = await api.list();
    if (users !== visitor.users) return; // it is of whoever was here before
    choices(listed.map((one) => (one.episodeId === read?.episodeId ? read : one)));
  }

  function choices(found) {
    byId("episodes-none").hidden = found.length > 0;
    clear(byId("episodes-list"), ...found.map((one) => el("li", {}, el("button", { type: "button", class: "choice", "aria-current": one.episodeId === shown?.episodeId ? "true" : null, onclick: () => attempt(problem, () => open(one.episodeId)) },
      el("span", { class: "name", text: one.title }), el("span", { class: "hint", text: day(one.createdAt) }), badge(one.status, STATUSES[one.status])))));
  }

  // Shows an episode, and looks after it for as long as something is being done with it.
  async function open(id) {
    const mine = { episodeId: id };
    shown = mine;
    let before = "";
    let looked = false;
    await watch(visitor, problem, () => shown === mine, async () => {
      const episode = await api.get(id);
      if (shown !== mine) return true;
      const standing = [episode.status, episode.transcript.state, episode.video.state].join(" ");
      if (standing !== before) {
        await draw(episode, mine);
        if (shown !== mine) return true;
        if (before) say(`${episode.title}: transcript ${episode.transcript.state}, video ${episode.video.state}`);
        before = standing;
        if (!looked) bring(byId("episodes-one"));
        looked = true;
        refresh(episode).catch(() => {});
      }
      return !["uploading", "processing"].includes(episode.status);
    });
  }

  async function draw(episode, mine) {
    byId("episodes-empty").hidden = true;
    byId("episodes-new").open = false;
    byId("episodes-one").hidden = false;
    byId("episodes-name").textContent = episode.title;
    clear(byId("episodes-status"), badge(episode.status, STATUSES[episode.status]));
    for (const kind of ["transcript", "video"]) {
      const { state, reason } = episode[kind];
      const names = STATES[kind];
      const place = names.indexOf(state);
      const done = place === names.length - 1;
      // What is under way, or is done, is not uploaded again.
      byId(`episodes-${kind}-choice`).hidden = !["none", "requested", "failed"].includes(state);
      clear(byId(`episodes-${kind}`),
        state === "none" ? el("p", { class: "hint", text: "None yet." }) : state === "failed" ? badge(`failed: ${reason ?? "unknown"}`, "bad") : steps(names, done ? names.length : place));
    }
    const own = video.get(episode.episodeId);
    player.hidden = !own;
    if (own && player.dataset.of !== episode.episodeId) {
      player.src = own;
      player.dataset.of = episode.episodeId;
    }
    const ready = episode.transcript.state === "analyzed";
    const [claims, clips] = ready ? await Promise.all(["claims", "clips"].map((kind) => api.findings(episode.episodeId, kind))) : [[], []];
    if (shown !== mine) return;
    // Drawn again, the same list would take the focus from whoever is in it.
    const found = JSON.stringify([episode.episodeId, ready, claims, clips]);
    if (found === drawn) return;
    drawn = found;
    clear(byId("episodes-findings"), ...(ready ? findings(claims, clips) : []));
  }

  function findings(claims, clips) {
    const jump = (ms) => {
      if (player.hidden) return;
      player.currentTime = ms / 1000;
      player.play().catch(() => {});
    };
    if (!claims.length && !clips.length) return [el("p", { class: "hint", text: "Nothing is claimed in it." })];
    // A transcript without times has estimated ones.
    const when = (one) => `${one.timed ? "" : "about "}${clock(one.startMs)}`;
    const rows = claims.map((one) => el("li", { id: `claim-${one.claimId}`, class: "finding", tabindex: "-1" },
      el("div", { class: "bar" }, el("button", { type: "button", class: "time", onclick: () => jump(one.startMs), text: when(one), "aria-label": `At ${when(one)}` }), badge(one.verdict, VERDICTS[one.verdict]),
        el("span", { class: "hint", text: `${Math.round(one.confidence * 100)} % sure${one.speaker ? ` · ${one.speaker}` : ""}` })),
      el("q", { text: one.quote }),
      one.explanation ? el("p", { text: one.explanation }) : null,
      one.sources?.length ? el("p", { class: "hint", text: `Rests on: ${one.sources.join("; ")}` }) : null));
    const cut = clips.map((one) => el("li", { id: `clip-${one.clipId}`, class: "finding", tabindex: "-1" },
      el("div", { class: "bar" }, el("button", { type: "button", class: "time", onclick: () => jump(one.startMs), text: `${clock(one.startMs)}–${clock(one.endMs)}` }), el("strong", { text: one.title })),
      one.reason ? el("p", { text: one.reason }) : null));
    const marks = [
      ...claims.map((one) => ({ ...one, row: 0, kind: VERDICTS[one.verdict], label: `Claim at ${when(one)}, ${one.verdict}: ${one.quote}`, to: `claim-${one.claimId}` })),
      ...clips.map((one) => ({ ...one, row: 1, kind: "clip", label: `Clip from ${clock(one.startMs)} to ${clock(one.endMs)}: ${one.title}`, to: `clip-${one.clipId}` })),
    ];
    const chosen = (mark) => {
      byId(mark.to).focus();
      jump(mark.startMs);
    };
    return [
      el("h3", { text: "Timeline" }), timeline(marks, ["Claims", "Clips"], chosen),
      el("h3", { text: claims.length === 1 ? "1 claim" : `${claims.length} claims` }), el("ol", { class: "findings" }, ...rows),
      el("h3", { text: clips.length === 1 ? "1 clip to cut out" : `${clips.length} clips to cut out` }), el("ol", { class: "findings" }, ...cut),
    ];
  }

  byId("episodes-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [title, speakers, language] = ["title", "speakers", "language"].map((one) => byId(`episodes-${one}`).value.trim());
    const { users } = visitor;
    attempt(problem, async () => {
      const made = await api.create({ title, language, speakers: list(speakers), clientToken: ulid() });
      if (users !== visitor.users) return null;
      byId("episodes-title").value = byId("episodes-speakers").value = "";
      return made.episodeId;
    }, event.submitter).then((episodeId) => episodeId && attempt(problem, () => open(episodeId)));
  });
  for (const kind of ["transcript", "video"]) {
    const input = byId(`episodes-${kind}-file`);
    input.addEventListener("change", () => {
      const [file] = input.files;
      if (!file || !shown) return;
      const { episodeId } = shown;
      const { users } = visitor;
      const { bar, to } = progress(`${file.name}, uploaded`);
      const place = byId(`episodes-${kind}-progress`);
      clear(place, bar);
      attempt(problem, async () => {
        await api.upload(episodeId, kind, file, contentType(file), to);
        if (users !== visitor.users) return false;
        if (kind === "video") video.set(episodeId, URL.createObjectURL(file));
        return shown?.episodeId === episodeId;
      }, input).then((isShown) => {
        clear(place);
        input.value = "";
        if (isShown) attempt(problem, () => open(episodeId));
      });
    });
  }
  byId("episodes-again").addEventListener("click", (event) => attempt(problem, () => refresh(), event.target));
  // Another visitor's episodes are not this one's to see; the same one's stay, under a new token.
  visitor.addEventListener("another", () => {
    [shown, drawn] = [null, ""];
    for (const url of video.values()) URL.revokeObjectURL(url);
    video.clear();
    silence(player);
    delete player.dataset.of;
    byId("episodes-name").textContent = "";
    byId("episodes-one").hidden = true;
    byId("episodes-empty").hidden = false;
    clear(byId("episodes-findings"));
    show(problem, null);
    choices([]);
  });
  visitor.addEventListener("change", () => {
    if (!byId("panel-episodes").hidden) attempt(problem, () => refresh());
  });
  return () => attempt(problem, () => refresh());
}
