// Panel of the livestream backend: uploads an episode's transcript and video, and shows its claims on a timeline.

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

  // The list may be older than the episode that was just read.
  async function refresh(read) {
    const { users } = visitor;
    const listed = await api.list();
    if (users !== visitor.users) return; // The list belongs to the previous visitor.
    choices(listed.map((episode) => (episode.episodeId === read?.episodeId ? read : episode)));
  }

  function choices(found) {
    byId("episodes-none").hidden = found.length > 0;
    clear(byId("episodes-list"), ...found.map((episode) => el("li", {}, el("button", { type: "button", class: "choice", "aria-current": episode.episodeId === shown?.episodeId ? "true" : null, onclick: () => attempt(problem, () => open(episode.episodeId)) },
      el("span", { class: "name", text: episode.title }), el("span", { class: "hint", text: day(episode.createdAt) }), badge(episode.status, STATUSES[episode.status])))));
  }

  // Show an episode and update it while the backend processes it.
  async function open(id) {
    const mine = { episodeId: id };
    shown = mine;
    let before = "";
    let looked = false;
    await watch(visitor, problem, () => shown === mine, async () => {
      const episode = await api.get(id);
      if (shown !== mine) return true;
      const status = [episode.status, episode.transcript.state, episode.video.state].join(" ");
      if (status !== before) {
        await draw(episode, mine);
        if (shown !== mine) return true;
        if (before) say(`${episode.title}: transcript ${episode.transcript.state}, video ${episode.video.state}`);
        before = status;
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
      // A track that is being processed or is done cannot be uploaded again.
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
    // Redrawing an unchanged list would take the keyboard focus from its controls.
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
    if (!claims.length && !clips.length) return [el("p", { class: "hint", text: "The transcript contains no claims." })];
    // The times of a transcript without timestamps are estimated.
    const when = (one) => `${one.timed ? "" : "about "}${clock(one.startMs)}`;
    const rows = claims.map((one) => el("li", { id: `claim-${one.claimId}`, class: "finding", tabindex: "-1" },
      el("div", { class: "bar" }, el("button", { type: "button", class: "time", onclick: () => jump(one.startMs), text: when(one), "aria-label": `At ${when(one)}` }), badge(one.verdict, VERDICTS[one.verdict]),
        el("span", { class: "hint", text: `${Math.round(one.confidence * 100)} % confidence${one.speaker ? ` · ${one.speaker}` : ""}` })),
      el("q", { text: one.quote }),
      one.explanation ? el("p", { text: one.explanation }) : null,
      one.sources?.length ? el("p", { class: "hint", text: `Sources: ${one.sources.join("; ")}` }) : null));
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
      el("h3", { text: clips.length === 1 ? "1 suggested clip" : `${clips.length} suggested clips` }), el("ol", { class: "findings" }, ...cut),
    ];
  }

  byId("episodes-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [title, speakers, language] = ["title", "speakers", "language"].map((field) => byId(`episodes-${field}`).value.trim());
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
  // Another user must not see these episodes. After a new sign-in of the same user they stay.
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
