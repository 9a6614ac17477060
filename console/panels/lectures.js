// Panel of voice Q&A: an anonymous visitor (a guest) uploads a lecture, asks questions about it, and hears the answers. If the lecture was
// uploaded on this page, each citation plays the quoted passage.

import { AnswerPlayer } from "../lib/answer-player.js";
import { Answer } from "../lib/answer.js";
import { presignUrl } from "../lib/aws-requests.js";
import { announce, badge, byId, el, progress, setChildren, unloadPlayer } from "../lib/dom.js";
import { formatSize, formatTime } from "../lib/format.js";
import { Guest } from "../lib/guest-credentials.js";
import { postForm, requestText, sendOrRenew } from "../lib/http.js";
import { ulid } from "../lib/ids.js";
import { fetchSample } from "../lib/local-platform.js";
import { readDuration, record } from "../lib/audio-input.js";
import { pauses, sleep } from "../lib/pauses.js";
import { Problem, problemFromMessage, runAction, showProblem } from "../lib/problems.js";
import { Socket } from "../lib/socket.js";

const SIGNED_SECONDS = 60; // validity of the signed URL with which the page connects
const ANSWER_TIMEOUT_MS = 120000; // time after which a question without a complete answer is asked again
const VALIDATION_TIMEOUT_MS = 60000; // time after which the page no longer asks whether an uploaded lecture is valid
const MAX_TRIES = 6; // requests for one answer
const MIN_LECTURE_SECONDS = 10; // used if the stack's output does not contain the limit
const VALIDATING = "The lecture is being validated.";
const LECTURE_TYPES = {
  mp3: "audio/mpeg", wav: "audio/wav", flac: "audio/flac", ogg: "audio/ogg", opus: "audio/ogg", oga: "audio/ogg",
  m4a: "audio/mp4", mp4: "video/mp4", webm: "audio/webm",
};

export function lectures({ stack, settings }) {
  const [ask, problem, player, state] = ["ask", "problem", "player", "state"].map((part) => byId(`lectures-${part}`));
  const [id, lectureProblem] = [byId("lectures-id"), byId("lectures-lecture-problem")];
  const guest = new Guest(stack, settings.identityPoolId);
  const answerPlayer = new AnswerPlayer((failure) => showProblem(problem, failure));
  const pendingQuestions = new Map(); // callbacks of the questions without a complete answer, by query id
  const lectureUrls = new Map(); // audio of the lectures that were uploaded on this page
  let socket = null;
  let connecting = null; // promise of the connection that is being opened
  let recording = null; // the spoken question that is being recorded
  let conversation = null; // id of the conversation, which gives the agent the earlier turns as context

  const minSeconds = settings.lectureMinSeconds ?? MIN_LECTURE_SECONDS;
  const uploads = settings.lectureUploads === "guests";
  byId("lectures-upload-part").hidden = !uploads;
  byId("lectures-other").open = !uploads;
  byId("lectures-hint").textContent = uploads
    ? `${settings.lectureFormats.join(", ")}; at least ${minSeconds} seconds.`
    : "On this stack, only operators upload lectures.";

  // Return the shared connection. Connect if there is none or it broke.
  async function getConnection() {
    if (socket?.isOpen) return socket;
    connecting ??= connect().finally(() => { connecting = null; });
    return connecting;
  }

  async function connect() {
    const url = await presignUrl(stack, "execute-api", await guest.credentials(), settings.url, SIGNED_SECONDS);
    const onMessage = (message) => pendingQuestions.get(message.queryId)?.onMessage(message);
    const onClose = () => { for (const pending of pendingQuestions.values()) pending.resume(); };
    socket = await Socket.open(url, { refused: "Check this machine's clock, then try again.", onMessage, onClose });
    socket.keepAlive(settings.pingSeconds);
    return socket;
  }

  // Ask for the state of an uploaded lecture until it is validated, as long as it is selected. If this fails, the visitor learns the state
  // from the answer to a question.
  async function showValidation(lectureId) {
    const startedAt = Date.now();
    const isWanted = () => id.value.trim() === lectureId && Date.now() - startedAt < VALIDATION_TIMEOUT_MS;
    for (const pause of pauses()) {
      await sleep(pause);
      if (!isWanted()) return;
      const report = await getConnection().then((open) => open.request("lecture", { lectureId })).catch(() => ({ state: "pending" }));
      if (!isWanted()) return;
      if (report.state === "ready") {
        state.textContent = "The lecture is ready. Ask a question.";
      } else if (report.state === "rejected") {
        deselectLecture(lectureId);
        showProblem(lectureProblem, new Problem(report.message, { todo: "Choose another recording." }));
      }
      if (report.state !== "pending") return;
    }
  }

  async function upload(kind, file, contentType, onProgress) {
    let ready;
    const requestForm = async () => { ready = await (await getConnection()).request("upload", { kind, contentType }); };
    await requestForm();
    if (file.size > ready.maxBytes) {
      throw new Problem(`The file has ${formatSize(file.size)}, but the stack allows ${formatSize(ready.maxBytes)}.`, { todo: "Use a shorter recording." });
    }
    await sendOrRenew(() => postForm(ready, file, onProgress), requestForm);
    return ready;
  }

  async function uploadLecture(file) {
    const type = LECTURE_TYPES[file.name.split(".").pop().toLowerCase()];
    if (!type) throw new Problem("A lecture of this type cannot be uploaded.", { todo: `Choose a file that ends with .${Object.keys(LECTURE_TYPES).join(", .")}.` });
    const seconds = await readDuration(file);
    if (seconds !== null && seconds < minSeconds) {
      throw new Problem(`${file.name} lasts ${seconds.toFixed(1)} seconds, but a lecture needs at least ${minSeconds}. It was not uploaded.`, { todo: "Choose a longer recording." });
    }
    const { bar, setShare } = progress(`${file.name}, uploaded`);
    setChildren(byId("lectures-progress"), bar);
    state.textContent = `Uploading ${file.name}.`;
    let ready;
    try {
      ready = await upload("lecture", file, type, setShare);
    } catch (failure) {
      state.textContent = "";
      throw failure;
    } finally {
      setChildren(byId("lectures-progress"));
    }
    id.value = ready.lectureId;
    conversation = null;
    lectureUrls.set(ready.lectureId, URL.createObjectURL(file));
    loadLecture(ready.lectureId);
    state.textContent = `${file.name} is uploaded. It is checked now, and you can ask already.`;
    showValidation(ready.lectureId);
  }

  // A rejected lecture cannot be asked about, so it is no longer selected.
  function deselectLecture(lectureId) {
    if (player.dataset.of === lectureId) {
      unloadPlayer(player);
      delete player.dataset.of;
    }
    URL.revokeObjectURL(lectureUrls.get(lectureId));
    lectureUrls.delete(lectureId);
    if (id.value.trim() !== lectureId) return;
    id.value = "";
    conversation = null;
    state.textContent = "No lecture is selected, because the last one was rejected.";
  }

  // Load a lecture into the player, unless it is loaded.
  function loadLecture(lectureId) {
    player.hidden = false;
    if (player.dataset.of === lectureId) return;
    player.src = lectureUrls.get(lectureId);
    player.dataset.of = lectureId;
  }

  // Ask a question. Repeat it under the same id after a transient error, until the answer is complete.
  async function askQuestion(content) {
    const lectureId = id.value.trim();
    if (!/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(lectureId)) {
      throw new Problem(lectureId ? `${lectureId} is not a lecture id.` : "No lecture is selected.", { todo: "Choose a lecture, or enter the id of an existing one." });
    }
    const queryId = ulid();
    const answer = new Answer();
    const view = createCard(content.text, lectureId);
    byId("lectures-answers").prepend(view.node);
    byId("lectures-none").hidden = true;
    let queuedFiles = 0;
    let isAccepted = false;
    let wake = () => {};
    const onMessage = (message) => {
      if (answer.add(message)) {
        queuedFiles = 0;
        answerPlayer.stop();
      }
      if (byId("lectures-aloud").checked) for (const file of answer.audioFiles.slice(queuedFiles)) answerPlayer.add(file);
      queuedFiles = answer.audioFiles.length;
      view.draw(answer);
      if (answer.end) wake();
    };
    pendingQuestions.set(queryId, { onMessage, resume: () => wake() });
    try {
      for (let tries = 1; !answer.isComplete; tries += 1) {
        const woken = new Promise((resolve) => {
          const timer = setTimeout(resolve, ANSWER_TIMEOUT_MS);
          wake = () => { clearTimeout(timer); resolve(); };
        });
        try {
          const accepted = await sendQuestion({ queryId, lectureId, ...content });
          conversation = accepted.sessionId;
          isAccepted = true;
          if (accepted.piecesUrl) {
            const pieces = (await requestText(accepted.piecesUrl)).split("\n").filter(Boolean).map((line) => JSON.parse(line));
            for (const message of [...pieces, { type: "answered", pieces: pieces.length }]) onMessage(message);
          } else if (!answer.isComplete) await woken;
        } catch (failure) {
          if (failure.code === "LECTURE_REJECTED") deselectLecture(lectureId);
          // Browsers do not report why a handshake failed. If an earlier handshake succeeded, the network is the likely cause.
          const isTransient = failure.retryable || (isAccepted && failure.code === "REFUSED");
          if (!isTransient || tries >= MAX_TRIES) throw failure;
          await sleep(500 * tries);
        }
        if (answer.end?.type === "error") {
          if (!answer.end.retryable || tries >= MAX_TRIES) throw problemFromMessage(answer.end);
          answer.end = null;
          await sleep(500 * tries);
        } else if (!answer.isComplete && tries >= MAX_TRIES) {
          throw new Problem("The answer is incomplete.", { todo: "Ask again." });
        }
      }
      view.complete(answer);
      announce(`Answer: ${answer.text}`);
    } finally {
      pendingQuestions.delete(queryId);
      if (!answer.isComplete || answer.end.type === "error") view.fail();
    }
  }

  // Send a question. A new lecture is validated first, so wait until it is ready.
  async function sendQuestion(content) {
    const startedAt = Date.now();
    for (const pause of pauses(300, 3000)) {
      try {
        return await (await getConnection()).request("query", { ...content, ...(conversation ? { sessionId: conversation } : {}) });
      } catch (failure) {
        const isBeingValidated = failure.code === "LECTURE_NOT_READY" || failure.code === "LECTURE_UNKNOWN";
        if (!isBeingValidated || Date.now() - startedAt > (failure.code === "LECTURE_UNKNOWN" ? 5000 : 60000)) throw failure;
        state.textContent = VALIDATING;
        await sleep(pause);
      } finally {
        if (state.textContent === VALIDATING) state.textContent = "";
      }
    }
    throw new Problem("The lecture is not ready.", { todo: "Ask again in a moment." });
  }

  function createCard(writtenQuestion, lectureId) {
    const [question, text, citations, status] = [el("p", { class: "asked" }), el("p", { class: "answer" }), el("ul", { class: "cited", "aria-label": "Quoted passages of the lecture" }), badge("Asking", "now")];
    question.textContent = writtenQuestion ?? "";
    const node = el("article", { class: "card" }, el("div", { class: "bar" }, el("h2", { text: "Answer" }), status), question, text, citations);
    const setStatus = (label, kind) => { status.textContent = label; status.className = `badge ${kind}`; };
    return {
      node,
      draw: (answer) => {
        if (answer.question) question.textContent = answer.question;
        text.textContent = answer.text;
        setStatus("Answering", "now");
        // Redraw citations only if there are new ones, because the visitor may be selecting one.
        if (citations.childElementCount !== answer.citations.length) setChildren(citations, ...answer.citations.map((piece) => createCitation(piece, lectureId)));
      },
      complete: (answer) => {
        setStatus("Answered", "good");
        const playButton = el("button", { type: "button", class: "quiet", text: "Play again", onclick: () => {
          answerPlayer.stop();
          answerPlayer.enable();
          for (const file of answer.audioFiles) answerPlayer.add(file);
        } });
        const stopButton = el("button", { type: "button", class: "quiet", text: "Stop", onclick: () => answerPlayer.stop() });
        if (answer.audioFiles.length) node.append(el("div", { class: "bar" }, playButton, stopButton));
      },
      fail: () => setStatus("Not answered", "bad"),
    };
  }

  function createCitation(piece, lectureId) {
    const jump = () => {
      loadLecture(lectureId);
      player.currentTime = piece.startMs / 1000;
      player.play().catch(() => {});
      player.focus();
    };
    const hasLecture = lectureUrls.has(lectureId);
    const time = el("span", { class: "time", text: formatTime(piece.startMs) });
    const quote = el("q", { text: piece.quote });
    return el("li", {}, hasLecture ? el("button", { type: "button", class: "jump", onclick: jump, "aria-label": `Play the lecture from ${formatTime(piece.startMs)}: ${piece.quote}` }, time, quote) : el("span", { class: "jump" }, time, quote));
  }

  player.addEventListener("error", () => {
    if (player.getAttribute("src")) player.hidden = true; // This browser cannot play the file.
  });
  byId("lectures-file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) runAction(lectureProblem, () => uploadLecture(file), event.target).then(() => { event.target.value = ""; });
  });
  byId("lectures-sample").addEventListener("click", (event) => {
    runAction(lectureProblem, async () => uploadLecture(await fetchSample("lecture.ogg")), event.target);
  });
  byId("lectures-question").addEventListener("click", (event) => runAction(problem, async () => {
    answerPlayer.stop();
    await answerPlayer.enable();
    const file = await fetchSample("question.ogg");
    const ready = await upload("query", file, file.type, () => {});
    await askQuestion({ audioKey: ready.key });
  }, event.target));
  id.addEventListener("input", () => { conversation = null; });
  ask.addEventListener("click", () => runAction(problem, async () => {
    answerPlayer.stop();
    await answerPlayer.enable();
    if (!recording) {
      recording = await record();
      setRecording(true);
      return;
    }
    const finishedRecording = recording;
    recording = null;
    setRecording(false);
    const audio = await finishedRecording.stop();
    const ready = await upload("query", audio, audio.type, () => {});
    await askQuestion({ audioKey: ready.key });
  }, ask));
  byId("lectures-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("lectures-text").value.trim();
    if (!text) return;
    runAction(problem, async () => {
      answerPlayer.stop();
      await answerPlayer.enable();
      byId("lectures-text").value = "";
      await askQuestion({ text });
    });
  });

  function setRecording(isRecording) {
    ask.setAttribute("aria-pressed", String(isRecording));
    ask.textContent = isRecording ? "Stop and send" : "Ask by voice";
    ask.classList.toggle("live", isRecording);
    showProblem(problem, null);
  }
}
