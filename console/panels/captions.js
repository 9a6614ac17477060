// Panel of transcription: splits speech at pauses into utterances, sends them as Opus, and shows the captions.

import { SpeechCutter } from "../lib/speech-cutter.js";
import { Dictation } from "../lib/dictation.js";
import { announce, byId, el, setChildren } from "../lib/dom.js";
import { ENGLISH_ONLY, fetchSample } from "../lib/local-platform.js";
import { decodeFile, listen } from "../lib/audio-input.js";
import { canEncode, encodeOpus } from "../lib/opus-encoder.js";
import { Problem, runAction, showProblem } from "../lib/problems.js";
import { Socket } from "../lib/socket.js";

const RATE = 48000;

export function captions({ stack, visitor, settings }) {
  const [speak, file, sample, level, problem, screen] = ["speak", "file", "sample", "level", "problem", "screen"].map((part) => byId(`captions-${part}`));
  const language = byId("captions-language");
  for (const code of settings.languages) language.append(el("option", { value: code, text: languageName(code) }));
  let session = null; // the dictation that the microphone feeds
  let microphone = null; // null while the microphone is not in use
  let shown = null; // the dictation whose captions are on the screen

  async function connect(checkUser, onMessage, onClose) {
    const token = await visitor.tokenIfAny();
    checkUser();
    const protocols = [settings.protocol, ...(token ? [`bearer.${token}`] : [])];
    const refused = token ? "Check that the token comes from this stack's identity provider and has not expired. Sign in at the top." : "Sign in at the top.";
    return Socket.open(settings.url, { protocols, refused, onMessage, onClose });
  }

  const showHint = (text) => setChildren(screen, el("p", { class: "hint", text }));

  // Create a dictation, whose captions the screen shows from now on. The caller opens it.
  function createDictation() {
    if (!canEncode()) {
      throw new Problem("This browser cannot encode speech (WebCodecs is missing).", { todo: "Use a current Chrome, Edge or Safari, or Firefox on a computer." });
    }
    showHint("Connecting.");
    byId("captions-state").textContent = "";
    const announced = new Set();
    const checkUser = visitor.createUserCheck("the session was open", "Start again.");
    const dictation = new Dictation({
      connect: (...handlers) => connect(checkUser, ...handlers),
      speechSettings: { language: language.value, encoding: "ogg-opus", sampleRate: RATE },
      inFlight: settings.inFlight,
      pingSeconds: settings.pingSeconds,
      onChange: () => { if (shown === dictation) draw(dictation, announced); },
      onFailure: (failure) => { if (shown === dictation) showProblem(problem, failure); },
      onOver: () => { if (session === dictation && microphone) stop().catch((failure) => showProblem(problem, failure)); },
    });
    shown = dictation;
    return dictation;
  }

  // Wait until the dictation has all its captions. If there is none, say why.
  async function finish(dictation) {
    if (shown === dictation && !dictation.captions.lines.length) showHint("Waiting for the captions.");
    await dictation.finish();
    if (shown !== dictation || dictation.captions.lines.length) return;
    const { done, failed } = dictation.counts;
    if (failed || !problem.hidden) showHint("No captions, because of the error above.");
    else showHint(`Nothing was heard. ${stack.local ? ENGLISH_ONLY : done ? "Check the language." : "Speak louder, or check the microphone."}`);
  }

  function draw(dictation, announced) {
    const { waiting, sent, done, failed } = dictation.counts;
    const parts = [[sent, "sent"], [waiting, "waiting"], [done, "done"], [failed, "lost"]].filter(([count]) => count).map(([count, state]) => `${count} ${state}`);
    byId("captions-state").textContent = parts.length ? `Pieces of speech: ${parts.join(", ")}` : "";
    const lines = dictation.captions.lines;
    if (!lines.length) return;
    setChildren(screen, ...lines.map((line) => el("p", { class: line.final ? "final" : "growing", text: line.text })));
    screen.scrollTop = screen.scrollHeight;
    for (const line of lines.filter((candidate) => candidate.final && !announced.has(`${candidate.utterance} ${candidate.resultId}`))) {
      announced.add(`${line.utterance} ${line.resultId}`);
      announce(line.text);
    }
  }

  // Encode the cutter's utterances in order and add them to the dictation.
  function createSpeechEncoder(cutter, sampleRate, dictation) {
    let queue = Promise.resolve();
    const add = (utterances) => {
      for (const utterance of utterances) {
        queue = queue.then(async () => dictation.addUtterance(await encodeOpus(utterance, sampleRate))).catch((failure) => showProblem(problem, failure));
      }
    };
    return {
      feed: (samples) => add(cutter.feed(samples)),
      finish: () => {
        add(cutter.finish());
        return queue;
      },
    };
  }

  // Start the microphone and the connection at the same time. Words that are spoken meanwhile wait in the dictation.
  async function start() {
    const dictation = createDictation();
    session = dictation;
    const opening = openRecorded(dictation);
    let encoder = null;
    let listening;
    try {
      listening = await listen((samples, sampleRate) => {
        encoder ??= createSpeechEncoder(new SpeechCutter(sampleRate), sampleRate, dictation);
        encoder.feed(samples);
        level.value = Math.min(1, 3 * Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length));
      });
    } catch (failure) {
      session = null;
      if (shown === dictation) showHint("Captions appear here.");
      dictation.end();
      throw failure;
    }
    if (dictation.isOver) { // Its connection failed while the browser asked for the microphone.
      session = null;
      await listening.stop();
      return;
    }
    microphone = {
      stop: async () => {
        await listening.stop();
        await encoder?.finish();
        await opening;
      },
    };
    setRecording(true);
    if (!dictation.captions.lines.length) showHint("Listening.");
  }

  // Open the dictation that is being recorded. If that fails, end the recording and show the error.
  async function openRecorded(dictation) {
    try {
      await dictation.open();
    } catch (failure) {
      dictation.end();
      if (shown !== dictation) return;
      showHint("Captions appear here.");
      showProblem(problem, failure);
      if (session === dictation && microphone) stop().catch((error) => showProblem(problem, error)); // not awaited, because it waits for this function
    }
  }

  async function stop() {
    const [endedSession, releasedMicrophone] = [session, microphone];
    [session, microphone] = [null, null];
    setRecording(false);
    await releasedMicrophone.stop();
    await finish(endedSession);
  }

  function setRecording(isRecording) {
    speak.setAttribute("aria-pressed", String(isRecording));
    speak.textContent = isRecording ? "Stop" : "Start speaking";
    speak.classList.toggle("live", isRecording);
    level.hidden = !isRecording;
    file.disabled = sample.disabled = isRecording;
    language.disabled = isRecording;
  }

  // Another user must not see these captions, so the session ends and the screen is cleared.
  visitor.addEventListener("userchange", () => {
    const previous = shown;
    shown = null;
    previous?.end();
    if (microphone) stop().catch((failure) => showProblem(problem, failure));
    byId("captions-state").textContent = "";
    showProblem(problem, null);
    showHint("Captions appear here.");
  });
  speak.addEventListener("click", () => runAction(problem, () => (session ? stop() : start()), speak));
  async function captionFile(chosen) {
    const checkUser = visitor.createUserCheck("the recording was decoded", "Choose it again.");
    showHint("Captions appear here.");
    byId("captions-state").textContent = "";
    const { samples, sampleRate } = await decodeFile(chosen);
    checkUser();
    const dictation = createDictation();
    try {
      await dictation.open();
    } catch (failure) {
      if (shown === dictation) showHint("Captions appear here.");
      throw failure;
    }
    const encoder = createSpeechEncoder(new SpeechCutter(sampleRate), sampleRate, dictation);
    encoder.feed(samples);
    await encoder.finish();
    await finish(dictation);
  }

  // Caption one file. Meanwhile, neither another file nor the microphone can be used.
  async function runFileAction(work, button) {
    speak.disabled = file.disabled = sample.disabled = true;
    await runAction(problem, work, button);
    speak.disabled = file.disabled = sample.disabled = false;
  }

  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    if (!chosen) return;
    await runFileAction(() => captionFile(chosen), file);
    file.value = "";
  });
  sample.addEventListener("click", () => runFileAction(async () => captionFile(await fetchSample("sentence.wav")), sample));
}

function languageName(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code);
  } catch {
    return code;
  }
}
