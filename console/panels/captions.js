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
  let shown = null; // the dictation whose captions stand here

  async function connect(stays, onMessage, onClose) {
    const token = await visitor.tokenIfAny();
    stays();
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
    const stays = visitor.staying("the session was open", "Start again.");
    const made = new Dictation({
      connect: (...heard) => connect(stays, ...heard),
      spoken: { language: language.value, encoding: "ogg-opus", sampleRate: RATE },
      inFlight: settings.inFlight,
      pingSeconds: settings.pingSeconds,
      changed: () => { if (shown === made) draw(made, told); },
      failed: (failure) => { if (shown === made) show(problem, failure); },
      over: () => { if (session === made && microphone) stop().catch((failure) => show(problem, failure)); },
    });
    shown = made;
    await made.open();
    stays();
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

  // What one says is not captioned for another: his session ends, and what stands of it goes.
  visitor.addEventListener("another", () => {
    const was = shown;
    shown = null;
    was?.end();
    if (microphone?.finish) stop().catch((failure) => show(problem, failure));
    byId("captions-state").textContent = "";
    show(problem, null);
    clear(screen, el("p", { class: "hint", text: "Captions stand here." }));
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
      if (shown === made && !made.captions.lines.length) clear(screen, el("p", { class: "hint", text: "Nothing was heard in it." }));
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
