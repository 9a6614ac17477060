// A session of transcription: utterances go out, each is kept until it is done, and is sent again where it was lost.

import { Captions } from "./captions.js";
import { base64 } from "./ids.js";
import { Problem, answered } from "./problems.js";
import { sleep } from "./words.js";

const AGAIN = new Set(["UNAVAILABLE", "INTERNAL", "BUSY", "BROKEN"]);
const REOPEN = new Set(["SESSION_ELSEWHERE", "UNAUTHENTICATED", "LATE"]); // a connection without answers is dead, closed or not
const OVER = new Set(["SESSION_CLOSED", "SESSION_UNKNOWN"]); // another session takes the place of this one
const PAUSE_MS = 1000;
const LOOK_MS = 15000; // after which one that is on its way is asked for: the message of its end may be lost
const SILENT_MS = 120000; // after which what is on its way is given up: a lost utterance is asked for sooner
const LOOK_AGAIN_MS = 100;
const TRIES = 5; // at an utterance that is refused for now
const UNFINISHED = 64; // utterances at most that an opening message names
const CONNECTIONS = 5; // tried in a row before a broken one is given up
const SESSIONS = 5; // opened in a row of which none takes anything

export class Dictation {
  #connect;
  #spoken;
  #inFlight;
  #pingSeconds;
  #socket = null;
  #session = ""; // none while another takes its place
  #sessions = new Set(); // all there were: what one has accepted has its end there
  #fruitless = 0; // sessions in a row that were over before they took anything
  #utterances = new Map();
  #count = 0;
  #pumping = false;
  #closing = false;
  #looking = null;
  #reconnecting = null;

  // `connect` opens a socket; `changed` hears that something is different, `failed` what cannot be mended, `over` that nothing
  // more can be said.
  constructor({ connect, spoken, inFlight, pingSeconds, changed, failed, over }) {
    this.#connect = connect;
    this.#spoken = spoken;
    this.#inFlight = inFlight;
    this.#pingSeconds = pingSeconds;
    this.changed = changed;
    this.failed = failed;
    this.over = over;
    this.captions = new Captions();
  }

  async open() {
    await this.#opened();
    if (!this.#closing) this.#looking = setInterval(() => this.#look(), LOOK_MS);
  }

  // One utterance, encoded. What is said when all is over is lost, and counts so.
  say(audio) {
    this.#count += 1;
    const state = this.#closing ? "failed" : "waiting";
    this.#utterances.set(`u${this.#count}`, { sequence: this.#count, audio: this.#closing ? "" : base64(audio), state, tries: 0 });
    this.changed();
    this.#pump();
  }

  // How many utterances are in which state.
  get counts() {
    const counts = { waiting: 0, sent: 0, done: 0, failed: 0 };
    for (const one of this.#utterances.values()) counts[one.state] += 1;
    return counts;
  }

  get isOver() {
    return this.#closing;
  }

  get isBusy() {
    return this.counts.waiting + this.counts.sent > 0;
  }

  // Once everything said is done, ends the session; what never ends is told.
  async finish() {
    for (let silent = 0, before = ""; this.isBusy && !this.#closing && silent < SILENT_MS; silent += LOOK_AGAIN_MS) {
      const counts = JSON.stringify(this.counts);
      if (counts !== before) [before, silent] = [counts, 0];
      await sleep(LOOK_AGAIN_MS);
    }
    const { waiting, sent } = this.counts;
    if (waiting + sent && !this.#closing) {
      this.failed(new Problem(`Nothing came of ${waiting + sent} utterances for ${SILENT_MS / 1000} s.`, { todo: "Say it again." }));
    }
    await this.end();
  }

  // Ends it at once.
  async end() {
    if (this.#closing) return;
    this.#closing = true;
    clearInterval(this.#looking);
    await this.#hangUp();
  }

  async #hangUp() {
    try {
      if (this.#session && this.#socket?.isOpen) await this.#socket.ask("close", { sessionId: this.#session });
    } catch {
      // It ends by itself a little later.
    }
    this.#socket?.close();
  }

  async #opened() {
    const socket = await this.#connect((message) => this.#hear(message), () => this.#broken());
    try {
      const opened = await this.#begun(socket);
      this.#socket = socket;
      if (this.#closing) { // while this connection was being made
        await this.#hangUp();
        return;
      }
      socket.keepAlive(this.#pingSeconds, () => (this.#session ? { sessionId: this.#session } : {}), (pong) => this.#told(pong));
      this.#told(opened);
      this.#saidAgain();
    } catch (problem) {
      socket.close();
      throw problem;
    }
  }

  // The session over a connection; where there is none, or it is over, another one.
  async #begun(socket) {
    const before = this.#session ? { sessionId: this.#session, unfinished: this.#unfinished() } : {};
    let opened;
    try {
      opened = await socket.ask("open", { ...this.#spoken, ...before });
    } catch (problem) {
      if (!this.#session || !OVER.has(problem.code)) throw problem;
      this.#session = "";
      return this.#begun(socket);
    }
    this.#session = opened.sessionId;
    this.#sessions.add(opened.sessionId);
    this.#inFlight = opened.inFlight;
    return opened;
  }

  // A session is over while its connection is not: another one takes its place there, where what was accepted still comes.
  async #renew(session, problem) {
    if (session !== this.#session || this.#closing) return;
    this.#session = "";
    this.#fruitless += 1;
    if (this.#fruitless > SESSIONS) {
      this.#giveUp(problem);
      return;
    }
    const socket = this.#socket;
    try {
      this.#told(await this.#begun(socket));
    } catch {
      socket.close(); // which makes another connection
    }
  }

  // What had no end in a session that is over is said again in this one.
  #saidAgain() {
    if (!this.#session) return;
    for (const one of this.#utterances.values()) {
      if (one.state === "sent" && one.session !== this.#session) one.state = "waiting";
    }
  }

  // What had no end as far as is known here; those that were sent come first.
  #unfinished() {
    const open = [...this.#utterances].filter(([, { state }]) => state === "waiting" || state === "sent");
    return open.slice(0, UNFINISHED).map(([name]) => name);
  }

  // The session goes on over another connection; whatever had no answer is sent again, under its name.
  #broken() {
    if (this.#closing || !this.#sessions.size) return;
    this.#reconnecting ??= this.#reconnect().finally(() => { this.#reconnecting = null; });
  }

  async #reconnect() {
    for (let one = 1; !this.#closing; one += 1) {
      try {
        await sleep(PAUSE_MS * (one - 1));
        await this.#opened();
        this.#pump();
        return;
      } catch (problem) {
        if (one >= CONNECTIONS) this.#giveUp(problem);
      }
    }
  }

  // There is no connection any more, or no session takes anything: what had no end is lost.
  #giveUp(problem) {
    this.#closing = true;
    clearInterval(this.#looking);
    this.#socket?.close();
    for (const [name, { state }] of this.#utterances) if (state !== "done") this.#ended(name, "failed");
    this.changed();
    this.failed(problem);
    this.over();
  }

  #hear(message) {
    if (!this.#isOurs(message, message.utterance)) return;
    if (message.type === "caption" || message.type === "retract") this.captions.take(message);
    else if (message.type === "done") this.#ended(message.utterance, "done");
    else if (message.type === "resend") this.#told({ resend: message.utterances.filter((one) => this.#isOurs(message, one.utterance)) });
    else if (message.type === "error") this.#refused(message);
    this.changed();
    this.#pump();
  }

  // Whether a message is of a session of this dictation, and of the one in which the utterance was sent last.
  #isOurs({ sessionId }, name) {
    if (!sessionId || !this.#sessions.size) return true;
    const known = this.#utterances.get(name);
    return known?.session ? known.session === sessionId : this.#sessions.has(sessionId);
  }

  #refused(message) {
    if (message.utterance) this.#ended(message.utterance, "failed");
    this.failed(answered(message));
  }

  // What an answer tells of utterances that were lost, and of those whose end was.
  #told({ resend = [], done = [], failed = [] }) {
    for (const one of done) this.#ended(one, failed.includes(one) ? "failed" : "done");
    for (const one of resend) {
      const known = this.#utterances.get(one.utterance);
      if (!known || known.state === "done") continue;
      this.captions.cut(one);
      known.state = "waiting";
      if (one.waitMs) this.#rest(known, one.waitMs * (1 + Math.random()));
    }
    this.changed();
  }

  // It goes after a while; others need not wait for it.
  #rest(known, ms) {
    known.resting = true;
    setTimeout(() => {
      known.resting = false;
      this.#pump();
    }, ms);
  }

  #ended(name, state) {
    const known = this.#utterances.get(name);
    if (!known || known.state === "done") return;
    known.state = state;
    if (state === "done") known.audio = ""; // one that is given up here may be asked for yet
  }

  async #pump() {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let next = this.#next(); next; next = this.#next()) await this.#send(...next);
    } finally {
      this.#pumping = false;
    }
  }

  #next() {
    if (this.#closing || !this.#session || !this.#socket?.isOpen || this.counts.sent >= this.#inFlight) return null;
    return [...this.#utterances].find(([, one]) => one.state === "waiting" && !one.resting) ?? null;
  }

  async #send(name, one) {
    one.state = "sent";
    if (one.session !== this.#session) this.captions.cut({ utterance: name, fromMs: 0 }); // another session begins it anew
    one.session = this.#session;
    this.changed();
    try {
      const content = { sessionId: one.session, utterance: name, sequence: one.sequence, audio: one.audio };
      const accepted = await this.#socket.ask("audio", content);
      this.#fruitless = 0;
      if (accepted.done) this.#ended(name, accepted.failed ? "failed" : "done");
      this.#told({ resend: accepted.resend });
    } catch (problem) {
      one.tries += problem.code === "BUSY" || problem.code === "BROKEN" || OVER.has(problem.code) ? 0 : 1;
      if (REOPEN.has(problem.code)) this.#socket.close();
      if (one.tries < TRIES && (AGAIN.has(problem.code) || REOPEN.has(problem.code) || OVER.has(problem.code))) {
        if (one.state === "sent") one.state = "waiting";
        await sleep(PAUSE_MS);
        if (OVER.has(problem.code)) await this.#renew(one.session, problem);
      } else {
        this.#ended(name, "failed");
        this.failed(problem);
      }
    }
    this.changed();
  }

  #look() {
    this.#saidAgain();
    if (this.isBusy && this.#session && this.#socket?.isOpen) this.#ping();
  }

  #ping() {
    const [socket, session] = [this.#socket, this.#session];
    socket.ask("ping", { sessionId: session }).then((pong) => {
      this.#told(pong);
      this.#pump();
    }, async (problem) => {
      if (REOPEN.has(problem.code)) socket.close();
      if (OVER.has(problem.code)) await this.#renew(session, problem);
      this.#pump();
    });
  }
}
