// Transcription: what is said is cut where the speaker pauses, sent as Opus, and read as captions that grow.

import { Cutter } from "../lib/cutter.js";
import { Dictation } from "../lib/dictation.js";
import { byId, clear, el, say } from "../lib/dom.js";
import { listen, samplesOf } from "../lib/microphone.js";
import { canEncode, encoded } from "../lib/opus.js";
import { Problem, attempt, show } from "../lib/problems.js";
import { Socket } from "../lib/socket.js";

const RATE = 48000;

export function captions({ stack, visitor, settings }) {
  const [speak, file, level, problem, screen] = ["speak", "file", "level", "problem", "screen"].map((one) => byId(`captions-${one}`));
  const language = byId("captions-language");
  for (const one of settings.languages) language.append(el("option", { value: one, text: nameOf(one) }));
  let session = null;
  let microphone = null;

  async function connect(onMessage, onClose) {
    const token = await visitor.tokenIfAny();
    const protocols = [settings.protocol, ...(token ? [`bearer.${token}`] : []), ...(stack.local ? [`user.${visitor.name}`] : [])];
    const refused = token ? "Is the token one of this stack's provider, and still good? Sign in at the top." : "Sign in at the top.";
    return Socket.open(settings.url, { protocols, refused, onMessage, onClose });
  }

  async function begin() {
    if (!canEncode()) {
      throw new Problem("This browser cannot encode speech (WebCodecs is missing).", { todo: "Use a current Chrome, Edge or Safari, or Firefox on a computer." });
    }
    clear(screen, el("p", { class: "hint", text: "Connecting." }));
    byId("captions-state").textContent = "";
    const told = new Set();
    const made = new Dictation({
      connect,
      spoken: { language: language.value, encoding: "ogg-opus", sampleRate: RATE },
      inFlight: settings.inFlight,
      pingSeconds: settings.pingSeconds,
      changed: () => draw(made, told),
      failed: (failure) => show(problem, failure),
      over: () => { if (session === made && microphone) stop().catch((failure) => show(problem, failure)); },
    });
    await made.open();
    clear(screen, el("p", { class: "hint", text: "Listening." }));
    return made;
  }

  function draw(made, told) {
    const { waiting, sent, done, failed } = made.counts;
    const parts = [[sent, "on their way"], [waiting, "waiting"], [done, "done"], [failed, "lost"]].filter(([count]) => count).map(([count, what]) => `${count} ${what}`);
    byId("captions-state").textContent = parts.length ? `Utterances: ${parts.join(", ")}` : "";
    const lines = made.captions.lines;
    if (!lines.length) return;
    clear(screen, ...lines.map((one) => el("p", { class: one.final ? "final" : "growing", text: one.text })));
    screen.scrollTop = screen.scrollHeight;
    for (const one of lines.filter((line) => line.final && !told.has(`${line.utterance} ${line.resultId}`))) {
      told.add(`${one.utterance} ${one.resultId}`);
      say(one.text);
    }
  }

  // Encodes what a cutter found, in order, and hands it to the session.
  function spoken(cutter, sampleRate, made) {
    let chain = Promise.resolve();
    const add = (utterances) => {
      for (const one of utterances) {
        chain = chain.then(async () => made.say(await encoded(one, sampleRate))).catch((failure) => show(problem, failure));
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
        level.value = Math.min(1, 3 * Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length));
      });
    } catch (failure) {
      await session.end();
      session = null;
      throw failure;
    }
    if (session.isOver) { // its connection was given up while the visitor was asked for the microphone
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

  speak.addEventListener("click", () => attempt(problem, () => (session ? stop() : start()), speak));
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    if (!chosen) return;
    file.disabled = speak.disabled = true;
    await attempt(problem, async () => {
      const { samples, sampleRate } = await samplesOf(chosen);
      const made = await begin();
      const hearing = spoken(new Cutter(sampleRate), sampleRate, made);
      hearing.feed(samples);
      await hearing.finish();
      await made.finish();
      if (!made.captions.lines.length) clear(screen, el("p", { class: "hint", text: "Nothing was heard in it." }));
    });
    file.disabled = speak.disabled = false;
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
