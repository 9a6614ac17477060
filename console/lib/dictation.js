// Client of the transcription backend for one speaker. It sends speech in utterances of a few seconds, keeps each utterance until the
// server is done with it, and sends lost ones again. A session holds the speaker's settings on the server. It can be resumed over a new
// connection. If it ends, the dictation opens a new one.

import { CaptionLines } from "./caption-lines.js";
import { toBase64 } from "./bytes.js";
import { sleep } from "./pauses.js";
import { Problem, problemFromMessage } from "./problems.js";

const RETRYABLE_CODES = new Set(["UNAVAILABLE", "INTERNAL", "BUSY", "BROKEN"]);
const RECONNECT_CODES = new Set(["SESSION_ELSEWHERE", "UNAUTHENTICATED", "LATE"]); // codes after which the connection is replaced
const SESSION_OVER_CODES = new Set(["SESSION_CLOSED", "SESSION_UNKNOWN"]); // codes after which a new session is opened
const RETRY_PAUSE_MS = 1000;
const PING_INTERVAL_MS = 15000; // interval of pings that ask which utterances are done, because the message about one may be lost
const MAX_UNCHANGED_MS = 120000; // time without any change after which `finish` stops waiting for the results of utterances
const POLL_MS = 100;
const MAX_TRIES = 5; // attempts to send an utterance that fails with a transient error
const MAX_UNFINISHED = 64; // unfinished utterances that an `open` message may name
const MAX_RECONNECTION_ATTEMPTS = 5; // in a row
const MAX_FRUITLESS_SESSIONS = 5; // sessions in a row that ended before they accepted an utterance

export class Dictation {
  #connect;
  #speechSettings;
  #inFlight;
  #pingSeconds;
  #socket = null;
  #sessionId = ""; // empty while a new session is opened
  #sessionIds = new Set(); // all sessions so far, because each reports on the utterances that it accepted
  #fruitlessSessions = 0;
  #utterances = new Map(); // by name: sequence number, encoded audio, state, number of failed tries, and the session to which it was sent
  #utteranceCount = 0;
  #isSending = false;
  #isOver = false; // true after the end of the dictation, or if no connection or session works any more
  #pingTimer = null;
  #reconnection = null; // promise of the reconnection that is in progress

  // `connect` opens a socket. `inFlight` is the number of utterances that the server processes at the same time. `onChange` is called after
  // every change, `onFailure` with each permanent error, and `onOver` when no more utterances can be sent because of an error.
  constructor({ connect, speechSettings, inFlight, pingSeconds, onChange, onFailure, onOver }) {
    this.#connect = connect;
    this.#speechSettings = speechSettings;
    this.#inFlight = inFlight;
    this.#pingSeconds = pingSeconds;
    this.onChange = onChange;
    this.onFailure = onFailure;
    this.onOver = onOver;
    this.captions = new CaptionLines();
  }

  async open() {
    await this.#openConnection();
    if (this.#isOver) return;
    this.#pingTimer = setInterval(() => this.#checkSent(), PING_INTERVAL_MS);
    this.#sendWaiting();
  }

  // Add an encoded utterance. It is sent when the session is open. After the end of the dictation it counts as failed.
  addUtterance(audio) {
    this.#utteranceCount += 1;
    const state = this.#isOver ? "failed" : "waiting";
    this.#utterances.set(`u${this.#utteranceCount}`, { sequence: this.#utteranceCount, audio: this.#isOver ? "" : toBase64(audio), state, tries: 0 });
    this.onChange();
    this.#sendWaiting();
  }

  get counts() {
    const counts = { waiting: 0, sent: 0, done: 0, failed: 0 };
    for (const utterance of this.#utterances.values()) counts[utterance.state] += 1;
    return counts;
  }

  get isOver() {
    return this.#isOver;
  }

  get isBusy() {
    return this.counts.waiting + this.counts.sent > 0;
  }

  // Wait until all utterances are done or failed, then end the session. Report how many have no result.
  async finish() {
    for (let unchangedMs = 0, before = ""; this.isBusy && !this.#isOver && unchangedMs < MAX_UNCHANGED_MS; unchangedMs += POLL_MS) {
      const counts = JSON.stringify(this.counts);
      if (counts !== before) [before, unchangedMs] = [counts, 0];
      await sleep(POLL_MS);
    }
    const { waiting, sent } = this.counts;
    if (waiting + sent && !this.#isOver) {
      this.onFailure(new Problem(`No captions for the last ${waiting + sent} pieces of speech after ${MAX_UNCHANGED_MS / 1000} seconds.`, { todo: "Say it again." }));
    }
    await this.end();
  }

  // End the session immediately.
  async end() {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#pingTimer);
    await this.#hangUp();
  }

  async #hangUp() {
    try {
      if (this.#sessionId && this.#socket?.isOpen) await this.#socket.request("close", { sessionId: this.#sessionId });
    } catch {
      // The server ends the session after its timeout.
    }
    this.#socket?.close();
  }

  async #openConnection() {
    const socket = await this.#connect((message) => this.#handleMessage(message), () => this.#handleClose());
    try {
      const opened = await this.#openSession(socket);
      this.#socket = socket;
      if (this.#isOver) { // while this connection was being made
        await this.#hangUp();
        return;
      }
      socket.keepAlive(this.#pingSeconds, () => (this.#sessionId ? { sessionId: this.#sessionId } : {}), (pong) => this.#applyReport(pong));
      this.#applyReport(opened);
      this.#requeueUnfinished();
    } catch (problem) {
      socket.close();
      throw problem;
    }
  }

  // Resume the session over a connection. If there is none, or it has ended, open a new session.
  async #openSession(socket) {
    const before = this.#sessionId ? { sessionId: this.#sessionId, unfinished: this.#unfinishedNames() } : {};
    let opened;
    try {
      opened = await socket.request("open", { ...this.#speechSettings, ...before });
    } catch (problem) {
      if (!this.#sessionId || !SESSION_OVER_CODES.has(problem.code)) throw problem;
      this.#sessionId = "";
      return this.#openSession(socket);
    }
    this.#sessionId = opened.sessionId;
    this.#sessionIds.add(opened.sessionId);
    this.#inFlight = opened.inFlight;
    return opened;
  }

  // Open a new session over the same connection, which still delivers captions for the ended session.
  async #renewSession(session, problem) {
    if (session !== this.#sessionId || this.#isOver) return;
    this.#sessionId = "";
    this.#fruitlessSessions += 1;
    if (this.#fruitlessSessions > MAX_FRUITLESS_SESSIONS) {
      this.#giveUp(problem);
      return;
    }
    const socket = this.#socket;
    try {
      this.#applyReport(await this.#openSession(socket));
    } catch {
      socket.close(); // The close handler connects again.
    }
  }

  // Queue the unfinished utterances of an ended session for the current session.
  #requeueUnfinished() {
    if (!this.#sessionId) return;
    for (const utterance of this.#utterances.values()) {
      if (utterance.state === "sent" && utterance.session !== this.#sessionId) utterance.state = "waiting";
    }
  }

  // Names of the unfinished utterances, in the order in which they were added.
  #unfinishedNames() {
    const unfinished = [...this.#utterances].filter(([, { state }]) => state === "waiting" || state === "sent");
    return unfinished.slice(0, MAX_UNFINISHED).map(([name]) => name);
  }

  // Resume the session over a new connection. Utterances that the server did not accept are sent again under the same names.
  #handleClose() {
    if (this.#isOver || !this.#sessionIds.size) return;
    this.#reconnection ??= this.#reconnect().finally(() => { this.#reconnection = null; });
  }

  async #reconnect() {
    for (let attempt = 1; !this.#isOver; attempt += 1) {
      try {
        await sleep(RETRY_PAUSE_MS * (attempt - 1));
        await this.#openConnection();
        this.#sendWaiting();
        return;
      } catch (problem) {
        if (attempt >= MAX_RECONNECTION_ATTEMPTS) this.#giveUp(problem);
      }
    }
  }

  // Stop, because no connection or session works any more. Unfinished utterances are lost.
  #giveUp(problem) {
    this.#isOver = true;
    clearInterval(this.#pingTimer);
    this.#socket?.close();
    for (const [name, { state }] of this.#utterances) if (state !== "done") this.#endUtterance(name, "failed");
    this.onChange();
    this.onFailure(problem);
    this.onOver();
  }

  #handleMessage(message) {
    if (!this.#isRelevant(message, message.utterance)) return;
    if (message.type === "caption" || message.type === "retract") this.captions.apply(message);
    else if (message.type === "done") this.#endUtterance(message.utterance, "done");
    else if (message.type === "resend") this.#applyReport({ resend: message.utterances.filter((entry) => this.#isRelevant(message, entry.utterance)) });
    else if (message.type === "error") this.#reportError(message);
    this.onChange();
    this.#sendWaiting();
  }

  // Return true if a message about an utterance comes from the session to which the utterance was sent last. Any other message is
  // relevant if one of the dictation's sessions sent it, or no session.
  #isRelevant({ sessionId }, name) {
    if (!sessionId || !this.#sessionIds.size) return true;
    const utterance = this.#utterances.get(name);
    return utterance?.session ? utterance.session === sessionId : this.#sessionIds.has(sessionId);
  }

  #reportError(message) {
    if (message.utterance) this.#endUtterance(message.utterance, "failed");
    this.onFailure(problemFromMessage(message));
  }

  // Apply a report of the server: utterances that it asks for in `resend` wait again, those in `done` are done or failed.
  #applyReport({ resend = [], done = [], failed = [] }) {
    for (const name of done) this.#endUtterance(name, failed.includes(name) ? "failed" : "done");
    for (const entry of resend) {
      const utterance = this.#utterances.get(entry.utterance);
      if (!utterance || utterance.state === "done") continue;
      this.captions.removeForResend(entry);
      utterance.state = "waiting";
      if (entry.waitMs) this.#delayUtterance(utterance, entry.waitMs * (1 + Math.random()));
    }
    this.onChange();
  }

  // Delay one utterance. Later utterances are sent meanwhile.
  #delayUtterance(utterance, ms) {
    utterance.isDelayed = true;
    setTimeout(() => {
      utterance.isDelayed = false;
      this.#sendWaiting();
    }, ms);
  }

  #endUtterance(name, state) {
    const utterance = this.#utterances.get(name);
    if (!utterance || utterance.state === "done") return;
    utterance.state = state;
    if (state === "done") utterance.audio = ""; // The server may still ask for a failed utterance, so that keeps its audio.
  }

  async #sendWaiting() {
    if (this.#isSending) return;
    this.#isSending = true;
    try {
      for (let next = this.#nextWaiting(); next; next = this.#nextWaiting()) await this.#sendUtterance(...next);
    } finally {
      this.#isSending = false;
    }
  }

  #nextWaiting() {
    if (this.#isOver || !this.#sessionId || !this.#socket?.isOpen || this.counts.sent >= this.#inFlight) return null;
    return [...this.#utterances].find(([, utterance]) => utterance.state === "waiting" && !utterance.isDelayed) ?? null;
  }

  async #sendUtterance(name, utterance) {
    utterance.state = "sent";
    if (utterance.session !== this.#sessionId) this.captions.removeForResend({ utterance: name, fromMs: 0 }); // A new session captions the whole utterance again.
    utterance.session = this.#sessionId;
    this.onChange();
    try {
      const content = { sessionId: utterance.session, utterance: name, sequence: utterance.sequence, audio: utterance.audio };
      const accepted = await this.#socket.request("audio", content);
      this.#fruitlessSessions = 0;
      if (accepted.done) this.#endUtterance(name, accepted.failed ? "failed" : "done");
      this.#applyReport({ resend: accepted.resend });
    } catch (problem) {
      utterance.tries += problem.code === "BUSY" || problem.code === "BROKEN" || SESSION_OVER_CODES.has(problem.code) ? 0 : 1;
      if (RECONNECT_CODES.has(problem.code)) this.#socket.close();
      if (utterance.tries < MAX_TRIES && (RETRYABLE_CODES.has(problem.code) || RECONNECT_CODES.has(problem.code) || SESSION_OVER_CODES.has(problem.code))) {
        if (utterance.state === "sent") utterance.state = "waiting";
        await sleep(RETRY_PAUSE_MS);
        if (SESSION_OVER_CODES.has(problem.code)) await this.#renewSession(utterance.session, problem);
      } else {
        this.#endUtterance(name, "failed");
        this.onFailure(problem);
      }
    }
    this.onChange();
  }

  #checkSent() {
    this.#requeueUnfinished();
    if (this.isBusy && this.#sessionId && this.#socket?.isOpen) this.#ping();
  }

  #ping() {
    const [socket, session] = [this.#socket, this.#sessionId];
    socket.request("ping", { sessionId: session }).then((pong) => {
      this.#applyReport(pong);
      this.#sendWaiting();
    }, async (problem) => {
      if (RECONNECT_CODES.has(problem.code)) socket.close();
      if (SESSION_OVER_CODES.has(problem.code)) await this.#renewSession(session, problem);
      this.#sendWaiting();
    });
  }
}
