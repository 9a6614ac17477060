// Panel of voice Q&A: a guest uploads a lecture, asks questions, and hears the answers. Citations link to the lecture.

import { Answer } from "../lib/answer.js";
import { signedUrl } from "../lib/aws.js";
import { badge, byId, clear, el, progress, say } from "../lib/dom.js";
import { Guest } from "../lib/guest.js";
import { postForm } from "../lib/http.js";
import { ulid } from "../lib/ids.js";
import { record } from "../lib/microphone.js";
import { Problem, answered, attempt, show } from "../lib/problems.js";
import { Socket } from "../lib/socket.js";
import { Voice } from "../lib/voice.js";
import { clock, pauses, size, sleep } from "../lib/words.js";

const SIGNED_SECONDS = 60;
const PATIENCE_MS = 120000;
const TRIES = 6;
const LECTURE_TYPES = {
  mp3: "audio/mpeg", wav: "audio/wav", flac: "audio/flac", ogg: "audio/ogg", opus: "audio/ogg", oga: "audio/ogg",
  m4a: "audio/mp4", mp4: "video/mp4", webm: "audio/webm",
};

export function lectures({ stack, settings }) {
  const [ask, problem, player, state] = ["ask", "problem", "player", "state"].map((part) => byId(`lectures-${part}`));
  const id = byId("lectures-id");
  const guest = new Guest(stack, settings.identityPoolId);
  const voice = new Voice((failure) => show(problem, failure));
  const asked = new Map();
  const sounds = new Map(); // audio of the lectures that were uploaded on this page
  let socket = null;
  let connecting = null;
  let recording = null;
  let conversation = null;

  const uploads = settings.lectureUploads === "guests";
  byId("lectures-upload-part").hidden = !uploads;
  byId("lectures-other").open = !uploads;
  byId("lectures-hint").textContent = uploads
    ? `${settings.lectureFormats.join(", ")}; at least ten seconds.`
    : "On this stack, only operators upload lectures.";

  // Return the shared connection. Connect if there is none or it broke.
  async function connected() {
    if (socket?.isOpen) return socket;
    connecting ??= connect().finally(() => { connecting = null; });
    return connecting;
  }

  async function connect() {
    const url = await signedUrl(stack, "execute-api", await guest.credentials(), settings.url, SIGNED_SECONDS);
    const onClose = () => { for (const waiting of asked.values()) waiting.resume(); };
    socket = await Socket.open(url, { refused: "Check this machine's clock, then try again.", onMessage: (message) => asked.get(message.queryId)?.hear(message), onClose });
    socket.keepAlive(settings.pingSeconds, () => ({}));
    return socket;
  }

  async function upload(kind, file, contentType, onProgress) {
    const ready = await (await connected()).ask("upload", { kind, contentType });
    if (file.size > ready.maxBytes) {
      throw new Problem(`The file has ${size(file.size)}, but the stack allows ${size(ready.maxBytes)}.`, { todo: "Use a shorter recording." });
    }
    await postForm(ready, file, onProgress);
    return ready;
  }

  async function takeLecture(file) {
    const type = LECTURE_TYPES[file.name.split(".").pop().toLowerCase()] ?? file.type;
    const { bar, to } = progress(`${file.name}, uploaded`);
    clear(byId("lectures-progress"), bar);
    state.textContent = `Uploading ${file.name}.`;
    const ready = await upload("lecture", file, type, to);
    clear(byId("lectures-progress"));
    id.value = ready.lectureId;
    conversation = null;
    sounds.set(ready.lectureId, URL.createObjectURL(file));
    play(ready.lectureId);
    state.textContent = `${file.name} is uploaded. Ask a question.`;
  }

  // Load a lecture into the player, unless it is loaded.
  function play(lectureId) {
    player.hidden = false;
    if (player.dataset.of === lectureId) return;
    player.src = sounds.get(lectureId);
    player.dataset.of = lectureId;
  }

  // Ask a question, and repeat it under the same id until the answer is complete.
  async function question(content) {
    const lectureId = id.value.trim();
    if (!/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(lectureId)) {
      throw new Problem(lectureId ? `${lectureId} is not a lecture id.` : "No lecture is selected.", { todo: "Choose a lecture, or enter the id of an existing one." });
    }
    const queryId = ulid();
    const answer = new Answer();
    const view = card(content.text, lectureId);
    byId("lectures-answers").prepend(view.node);
    byId("lectures-none").hidden = true;
    let heardFiles = 0;
    let isAccepted = false;
    let wake = () => {};
    asked.set(queryId, {
      hear: (message) => {
        if (answer.hear(message)) {
          heardFiles = 0;
          voice.stop();
        }
        if (byId("lectures-aloud").checked) for (const file of answer.files.slice(heardFiles)) voice.add(file);
        heardFiles = answer.files.length;
        view.draw(answer);
        if (answer.isWhole) wake();
      },
      resume: () => wake(),
    });
    try {
      for (let tries = 1; !answer.isWhole; tries += 1) {
        const woken = new Promise((resolve) => {
          const late = setTimeout(resolve, PATIENCE_MS);
          wake = () => { clearTimeout(late); resolve(); };
        });
        try {
          const accepted = await asking({ queryId, lectureId, ...content, attempt: answer.attempt, resumeFrom: answer.next });
          conversation = accepted.sessionId;
          isAccepted = true;
          if (!answer.isWhole) await woken;
        } catch (failure) {
          // Browsers do not report why a handshake failed. If an earlier one succeeded, the cause is the network.
          const isTransient = failure.retryable || (isAccepted && failure.code === "REFUSED");
          if (!isTransient || tries >= TRIES) throw failure;
          await sleep(500 * tries);
        }
        if (answer.end?.type === "error") {
          if (!answer.end.retryable || tries >= TRIES) throw answered(answer.end);
          answer.end = null;
          await sleep(500 * tries);
        } else if (!answer.isWhole && tries >= TRIES) {
          throw new Problem("The answer is incomplete.", { todo: "Ask again." });
        }
      }
      view.whole(answer);
      say(`Answer: ${answer.text}`);
    } finally {
      asked.delete(queryId);
      if (!answer.isWhole || answer.end.type === "error") view.failed();
    }
  }

  // Send a question. A new lecture is validated first, so wait until it is ready.
  async function asking(content) {
    const began = Date.now();
    for (const pause of pauses(300, 3000)) {
      try {
        return await (await connected()).ask("query", { ...content, ...(conversation ? { sessionId: conversation } : {}) });
      } catch (failure) {
        const young = failure.code === "LECTURE_NOT_READY" || failure.code === "LECTURE_UNKNOWN";
        if (!young || Date.now() - began > (failure.code === "LECTURE_UNKNOWN" ? 5000 : 60000)) throw failure;
        state.textContent = "The lecture is being validated.";
        await sleep(pause);
      } finally {
        if (state.textContent === "The lecture is being validated.") state.textContent = "";
      }
    }
    throw new Problem("The lecture is not ready.", { todo: "Ask again in a moment." });
  }

  function card(written, lectureId) {
    const [said, text, cited, status] = [el("p", { class: "asked" }), el("p", { class: "answer" }), el("ul", { class: "cited", "aria-label": "Quoted passages of the lecture" }), badge("Asking", "now")];
    said.textContent = written ?? "";
    const node = el("article", { class: "card" }, el("div", { class: "bar" }, el("h2", { text: "Answer" }), status), said, text, cited);
    const set = (word, kind) => { status.textContent = word; status.className = `badge ${kind}`; };
    return {
      node,
      draw: (answer) => {
        if (answer.question) said.textContent = answer.question;
        text.textContent = answer.text;
        set("Answering", "now");
        // Redraw citations only if there are new ones, because the visitor may be selecting one.
        if (cited.childElementCount !== answer.citations.length) clear(cited, ...answer.citations.map((piece) => citation(piece, lectureId)));
      },
      whole: (answer) => {
        set("Answered", "good");
        const again = el("button", { type: "button", class: "quiet", text: "Play again", onclick: () => {
          voice.stop();
          voice.ready();
          for (const file of answer.files) voice.add(file);
        } });
        const quiet = el("button", { type: "button", class: "quiet", text: "Stop", onclick: () => voice.stop() });
        if (answer.files.length) node.append(el("div", { class: "bar" }, again, quiet));
      },
      failed: () => set("Not answered", "bad"),
    };
  }

  function citation(piece, lectureId) {
    const jump = () => {
      play(lectureId);
      player.currentTime = piece.startMs / 1000;
      player.play().catch(() => {});
      player.focus();
    };
    const here = sounds.has(lectureId);
    const time = el("span", { class: "time", text: clock(piece.startMs) });
    const words = el("q", { text: piece.quote });
    return el("li", {}, here ? el("button", { type: "button", class: "jump", onclick: jump, "aria-label": `Play the lecture from ${clock(piece.startMs)}: ${piece.quote}` }, time, words) : el("span", { class: "jump" }, time, words));
  }

  byId("lectures-file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) attempt(problem, () => takeLecture(file), event.target).then(() => { event.target.value = ""; });
  });
  id.addEventListener("input", () => { conversation = null; });
  ask.addEventListener("click", () => attempt(problem, async () => {
    voice.stop();
    await voice.ready();
    if (!recording) {
      recording = await record();
      mode(true);
      return;
    }
    const heard = recording;
    recording = null;
    mode(false);
    const sound = await heard.stop();
    const ready = await upload("query", sound, sound.type, () => {});
    await question({ audioKey: ready.key });
  }, ask));
  byId("lectures-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("lectures-text").value.trim();
    if (!text) return;
    attempt(problem, async () => {
      voice.stop();
      await voice.ready();
      byId("lectures-text").value = "";
      await question({ text });
    });
  });

  function mode(now) {
    ask.setAttribute("aria-pressed", String(now));
    ask.textContent = now ? "Stop and send" : "Ask by voice";
    ask.classList.toggle("live", now);
    show(problem, null);
  }
}
