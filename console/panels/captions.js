// Panel of transcription: splits speech at pauses, sends it as Opus, and shows the captions.

import { Cutter } from "../lib/cutter.js";
import { Dictation } from "../lib/dictation.js";
import { byId, clear, el, say } from "../lib/dom.js";
import { listen, samplesOf } from "../lib/microphone.js";
import { canEncode, encoded } from "../lib/opus.js";
import { Problem, attempt, show } from "../lib/problems.js";
import { Socket } from "../lib/socket.js";

const RATE = 48000;

export function captions({ stack, visitor, settings }) {
  const [speak, file, level, problem, screen] = ["speak", "file", "level", "problem", "screen"].map((part) => byId(`captions-${part}`));
  const language = byId("captions-language");
  for (const code of settings.languages) language.append(el("option", { value: code, text: nameOf(code) }));
  let session = null;
  let microphone = null;
  let shown = null; // the dictation whose captions are on the screen

  async function connect(stays, onMessage, onClose) {
    const token = await visitor.tokenIfAny();
    stays();
    const protocols = [settings.protocol, ...(token ? [`bearer.${token}`] : []), ...(stack.local ? [`user.${visitor.name}`] : [])];
    const refused = token ? "Check that the token comes from this stack's identity provider and has not expired. Sign in at the top." : "Sign in at the top.";
    return Socket.open(settings.url, { protocols, refused, onMessage, onClose });
  }

  async function begin() {
    if (!canEncode()) {
      throw new Problem("This browser cannot encode speech (WebCodecs is missing).", { todo: "Use a current Chrome, Edge or Safari, or Firefox on a computer." });
    }
    clear(screen, el("p", { class: "hint", text: "Connecting." }));
    byId("captions-state").textContent = "";
    const announced = new Set();
    const stays = visitor.staying("the session was open", "Start again.");
    const made = new Dictation({
      connect: (...heard) => connect(stays, ...heard),
      spoken: { language: language.value, encoding: "ogg-opus", sampleRate: RATE },
      inFlight: settings.inFlight,
      pingSeconds: settings.pingSeconds,
      changed: () => { if (shown === made) draw(made, announced); },
      failed: (failure) => { if (shown === made) show(problem, failure); },
      over: () => { if (session === made && microphone) stop().catch((failure) => show(problem, failure)); },
    });
    shown = made;
    await made.open();
    stays();
    clear(screen, el("p", { class: "hint", text: "Listening." }));
    return made;
  }

  function draw(made, announced) {
    const { waiting, sent, done, failed } = made.counts;
    const parts = [[sent, "sent"], [waiting, "waiting"], [done, "done"], [failed, "lost"]].filter(([count]) => count).map(([count, state]) => `${count} ${state}`);
    byId("captions-state").textContent = parts.length ? `Utterances: ${parts.join(", ")}` : "";
    const lines = made.captions.lines;
    if (!lines.length) return;
    clear(screen, ...lines.map((line) => el("p", { class: line.final ? "final" : "growing", text: line.text })));
    screen.scrollTop = screen.scrollHeight;
    for (const line of lines.filter((candidate) => candidate.final && !announced.has(`${candidate.utterance} ${candidate.resultId}`))) {
      announced.add(`${line.utterance} ${line.resultId}`);
      say(line.text);
    }
  }

  // Encode the cutter's utterances in order and add them to the dictation.
  function spoken(cutter, sampleRate, made) {
    let chain = Promise.resolve();
    const add = (utterances) => {
      for (const utterance of utterances) {
        chain = chain.then(async () => made.say(await encoded(utterance, sampleRate))).catch((failure) => show(problem, failure));
      }
    };
    return {
      feed: (samples) => add(cutter.feed(samples)),
      finish: () => {
        add(cutter.finish());
        return chain;
      },
    };
  }

  async function start() {
    session = await begin();
    let hearing = null;
    let cutter = null;
    try {
      microphone = await listen((samples) => {
        if (!hearing) return;
        hearing.feed(samples);
        level.value = Math.min(1, 3 * Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length));
      });
    } catch (failure) {
      await session.end();
      session = null;
      throw failure;
    }
    if (session.isOver) { // Its connection failed while the browser asked for the microphone.
      await microphone.stop();
      [session, microphone] = [null, null];
      return;
    }
    cutter = new Cutter(microphone.sampleRate);
    hearing = spoken(cutter, microphone.sampleRate, session);
    microphone.finish = () => hearing.finish();
    running(true);
  }

  async function stop() {
    const [was, heard] = [session, microphone];
    [session, microphone] = [null, null];
    running(false);
    await heard.stop();
    await heard.finish();
    await was.finish();
  }

  function running(now) {
    speak.setAttribute("aria-pressed", String(now));
    speak.textContent = now ? "Stop" : "Start speaking";
    speak.classList.toggle("live", now);
    level.hidden = !now;
    file.disabled = now;
    language.disabled = now;
  }

  // Another user must not see these captions, so the session ends and the screen is cleared.
  visitor.addEventListener("another", () => {
    const was = shown;
    shown = null;
    was?.end();
    if (microphone?.finish) stop().catch((failure) => show(problem, failure));
    byId("captions-state").textContent = "";
    show(problem, null);
    clear(screen, el("p", { class: "hint", text: "Captions appear here." }));
  });
  speak.addEventListener("click", () => attempt(problem, () => (session ? stop() : start()), speak));
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    if (!chosen) return;
    speak.disabled = true;
    const stays = visitor.staying("the recording was decoded", "Choose it again.");
    await attempt(problem, async () => {
      const { samples, sampleRate } = await samplesOf(chosen);
      stays();
      const made = await begin();
      const hearing = spoken(new Cutter(sampleRate), sampleRate, made);
      hearing.feed(samples);
      await hearing.finish();
      await made.finish();
      if (shown === made && !made.captions.lines.length) clear(screen, el("p", { class: "hint", text: "No speech was recognised in the file." }));
    }, file);
    speak.disabled = false;
    file.value = "";
  });
}

function nameOf(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code);
  } catch {
    return code;
  }
}
