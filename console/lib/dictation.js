// Client of a transcription session: sends utterances, keeps each one until it is done, and sends lost ones again.

import { Captions } from "./captions.js";
import { base64 } from "./ids.js";
import { Problem, answered } from "./problems.js";
import { sleep } from "./words.js";

const AGAIN = new Set(["UNAVAILABLE", "INTERNAL", "BUSY", "BROKEN"]);
const REOPEN = new Set(["SESSION_ELSEWHERE", "UNAUTHENTICATED", "LATE"]); // codes after which the connection is replaced
const OVER = new Set(["SESSION_CLOSED", "SESSION_UNKNOWN"]); // codes after which a new session is opened
const PAUSE_MS = 1000;
const LOOK_MS = 15000; // interval of pings that ask for sent utterances, because their last message may be lost
const SILENT_MS = 120000; // time without any change after which `finish` stops waiting for utterances
const LOOK_AGAIN_MS = 100;
const TRIES = 5; // attempts to send an utterance that fails with a transient error
const UNFINISHED = 64; // maximum number of utterances in an `open` message
const CONNECTIONS = 5; // maximum number of failed connection attempts in a row
const SESSIONS = 5; // maximum number of sessions in a row that end before they accept an utterance

export class Dictation {
  #connect;
  #spoken;
  #inFlight;
  #pingSeconds;
  #socket = null;
  #session = ""; // empty while a new session is opened
  #sessions = new Set(); // all sessions so far, because each reports on the utterances that it accepted
  #fruitless = 0; // sessions in a row that ended before they accepted an utterance
  #utterances = new Map();
  #count = 0;
  #pumping = false;
  #closing = false;
  #looking = null;
  #reconnecting = null;

  // `connect` opens a socket. `changed` is called after every change, `failed` with each permanent error, and `over` when no
  // more utterances can be sent.
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

  // Add an encoded utterance. After the end of the dictation it counts as failed.
  say(audio) {
    this.#count += 1;
    const state = this.#closing ? "failed" : "waiting";
    this.#utterances.set(`u${this.#count}`, { sequence: this.#count, audio: this.#closing ? "" : base64(audio), state, tries: 0 });
    this.changed();
    this.#pump();
  }

  // Number of utterances by state.
  get counts() {
    const counts = { waiting: 0, sent: 0, done: 0, failed: 0 };
    for (const utterance of this.#utterances.values()) counts[utterance.state] += 1;
    return counts;
  }

  get isOver() {
    return this.#closing;
  }

  get isBusy() {
    return this.counts.waiting + this.counts.sent > 0;
  }

  // Wait until all utterances are done, then end the session. Report utterances without a result.
  async finish() {
    for (let silent = 0, before = ""; this.isBusy && !this.#closing && silent < SILENT_MS; silent += LOOK_AGAIN_MS) {
      const counts = JSON.stringify(this.counts);
      if (counts !== before) [before, silent] = [counts, 0];
      await sleep(LOOK_AGAIN_MS);
    }
    const { waiting, sent } = this.counts;
    if (waiting + sent && !this.#closing) {
      this.failed(new Problem(`No result for ${waiting + sent} utterances after ${SILENT_MS / 1000} s.`, { todo: "Say it again." }));
    }
    await this.end();
  }

  // End the session immediately.
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
      // The server ends the session after its timeout.
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
      socket.keepAlive(this.#pingSeconds, () => (this.#session ? { sessionId: this.#session } : {}), (pong) => this.#applyReport(pong));
      this.#applyReport(opened);
      this.#requeueUnfinished();
    } catch (problem) {
      socket.close();
      throw problem;
    }
  }

  // Resume the session over a connection. Open a new session if there is none or it has ended.
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

  // Replace an ended session over the same connection, which still delivers captions of accepted utterances.
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
      this.#applyReport(await this.#begun(socket));
    } catch {
      socket.close(); // The close handler connects again.
    }
  }

  // Queue the unfinished utterances of an ended session for the current one.
  #requeueUnfinished() {
    if (!this.#session) return;
    for (const utterance of this.#utterances.values()) {
      if (utterance.state === "sent" && utterance.session !== this.#session) utterance.state = "waiting";
    }
  }

  // Names of the unfinished utterances, in the order in which they were added.
  #unfinished() {
    const open = [...this.#utterances].filter(([, { state }]) => state === "waiting" || state === "sent");
    return open.slice(0, UNFINISHED).map(([name]) => name);
  }

  // Resume the session over a new connection. Utterances without an answer are sent again under their names.
  #broken() {
    if (this.#closing || !this.#sessions.size) return;
    this.#reconnecting ??= this.#reconnect().finally(() => { this.#reconnecting = null; });
  }

  async #reconnect() {
    for (let attempt = 1; !this.#closing; attempt += 1) {
      try {
        await sleep(PAUSE_MS * (attempt - 1));
        await this.#opened();
        this.#pump();
        return;
      } catch (problem) {
        if (attempt >= CONNECTIONS) this.#giveUp(problem);
      }
    }
  }

  // Stop, because no connection or session works any more. Unfinished utterances are lost.
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
    else if (message.type === "resend") this.#applyReport({ resend: message.utterances.filter((entry) => this.#isOurs(message, entry.utterance)) });
    else if (message.type === "error") this.#refused(message);
    this.changed();
    this.#pump();
  }

  // Return true for a message of the session in which the utterance was sent last, or of any session for other messages.
  #isOurs({ sessionId }, name) {
    if (!sessionId || !this.#sessions.size) return true;
    const known = this.#utterances.get(name);
    return known?.session ? known.session === sessionId : this.#sessions.has(sessionId);
  }

  #refused(message) {
    if (message.utterance) this.#ended(message.utterance, "failed");
    this.failed(answered(message));
  }

  // Apply a report of the server: lost utterances are queued again, the others are done or failed.
  #applyReport({ resend = [], done = [], failed = [] }) {
    for (const name of done) this.#ended(name, failed.includes(name) ? "failed" : "done");
    for (const entry of resend) {
      const known = this.#utterances.get(entry.utterance);
      if (!known || known.state === "done") continue;
      this.captions.cut(entry);
      known.state = "waiting";
      if (entry.waitMs) this.#rest(known, entry.waitMs * (1 + Math.random()));
    }
    this.changed();
  }

  // Delay one utterance. Later utterances are sent meanwhile.
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
    if (state === "done") known.audio = ""; // The server may still ask for a failed utterance, so that keeps its audio.
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
    return [...this.#utterances].find(([, utterance]) => utterance.state === "waiting" && !utterance.resting) ?? null;
  }

  async #send(name, one) {
    one.state = "sent";
    if (one.session !== this.#session) this.captions.cut({ utterance: name, fromMs: 0 }); // A new session starts the utterance from its beginning.
    one.session = this.#session;
    this.changed();
    try {
      const content = { sessionId: one.session, utterance: name, sequence: one.sequence, audio: one.audio };
      const accepted = await this.#socket.ask("audio", content);
      this.#fruitless = 0;
      if (accepted.done) this.#ended(name, accepted.failed ? "failed" : "done");
      this.#applyReport({ resend: accepted.resend });
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
    this.#requeueUnfinished();
    if (this.isBusy && this.#session && this.#socket?.isOpen) this.#ping();
  }

  #ping() {
    const [socket, session] = [this.#socket, this.#session];
    socket.ask("ping", { sessionId: session }).then((pong) => {
      this.#applyReport(pong);
      this.#pump();
    }, async (problem) => {
      if (REOPEN.has(problem.code)) socket.close();
      if (OVER.has(problem.code)) await this.#renew(session, problem);
      this.#pump();
    });
  }
}
