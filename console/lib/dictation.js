// Client of the transcription backend for one speaker. It sends speech in utterances of a few seconds, keeps each utterance until the
// server is done with it, and sends failed and lost ones again, each time as another attempt with a higher number. A session holds the
// speaker's settings on the server for one connection, so each new connection opens another session.

import { CaptionLines } from "./caption-lines.js";
import { toBase64 } from "./bytes.js";
import { sleep } from "./pauses.js";
import { Problem, problemFromMessage } from "./problems.js";

const RETRYABLE_CODES = new Set(["UNAVAILABLE", "INTERNAL", "BUSY", "BROKEN", "LATE"]);
const RETRY_PAUSE_MS = 1000;
const CHECK_INTERVAL_MS = 1000; // interval of checks for utterances without a message of the server
const MAX_QUIET_CHECKS = 20; // number of checks after which an utterance without a message is sent again: an attempt ends earlier
const MAX_UNCHANGED_MS = 120000; // time without any change after which `finish` stops waiting for the results of utterances
const POLL_MS = 100;
const MAX_TRIES = 5; // attempts at an utterance that fail with a transient error or have no result
const MAX_RECONNECTION_ATTEMPTS = 5; // in a row

export class Dictation {
  #connect;
  #speechSettings;
  #inFlight;
  #pingSeconds;
  #socket = null;
  #utterances = new Map(); // by name: sequence number, encoded audio, state, number of the last attempt, and number of failed tries
  #utteranceCount = 0;
  #isSending = false;
  #isOver = false; // true after the end of the dictation, or if no connection works any more
  #checkTimer = null;
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
    this.#checkTimer = setInterval(() => this.#checkSent(), CHECK_INTERVAL_MS);
    this.#sendWaiting();
  }

  // Add an encoded utterance. It is sent when the session is open. After the end of the dictation it counts as failed.
  addUtterance(audio) {
    this.#utteranceCount += 1;
    const state = this.#isOver ? "failed" : "waiting";
    const encoded = this.#isOver ? "" : toBase64(audio);
    this.#utterances.set(`u${this.#utteranceCount}`, { sequence: this.#utteranceCount, audio: encoded, state, attempt: 0, tries: 0 });
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

  // Wait until all utterances are done or failed, then end the dictation. Report how many have no result.
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
    this.end();
  }

  // End the dictation immediately.
  end() {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#checkTimer);
    this.#socket?.close();
  }

  async #openConnection() {
    const socket = await this.#connect((message) => this.#handleMessage(message), () => this.#handleClose());
    try {
      const opened = await socket.request("open", this.#speechSettings);
      this.#inFlight = opened.inFlight;
      this.#socket = socket;
      if (this.#isOver) { // while this connection was being made
        socket.close();
        return;
      }
      socket.keepAlive(this.#pingSeconds);
      // Captions that were sent over an earlier connection may be lost, so each utterance that is not done is sent again.
      for (const utterance of this.#utterances.values()) if (utterance.state === "sent") utterance.state = "waiting";
    } catch (problem) {
      socket.close();
      throw problem;
    }
  }

  #handleClose() {
    if (this.#isOver || !this.#socket) return;
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

  // Stop, because no connection works any more. Unfinished utterances are lost.
  #giveUp(problem) {
    this.#isOver = true;
    clearInterval(this.#checkTimer);
    this.#socket?.close();
    for (const [name, { state }] of this.#utterances) if (state !== "done") this.#endUtterance(name, "failed");
    this.onChange();
    this.onFailure(problem);
    this.onOver();
  }

  #handleMessage(message) {
    const utterance = this.#utterances.get(message.utterance);
    if (utterance && this.captions.apply(message)) {
      utterance.quietChecks = 0;
      if (message.type === "done") this.#endUtterance(message.utterance, "done");
      else if (message.retryable && message.attempt === utterance.attempt) this.#retry(utterance, (message.waitMs ?? 0) * (1 + Math.random()));
      else if (message.retryable === false) this.#endUtterance(message.utterance, "failed");
    }
    if (message.type === "error" || message.retryable === false) this.onFailure(problemFromMessage(message));
    this.onChange();
    this.#sendWaiting();
  }

  // Send an utterance again after a delay. Others are sent meanwhile.
  #retry(utterance, ms) {
    if (utterance.state !== "sent") return;
    utterance.state = "waiting";
    if (ms) this.#delayUtterance(utterance, ms);
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
    if (!utterance || utterance.state === "done" || utterance.state === "failed") return;
    utterance.state = state;
    utterance.audio = "";
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
    if (this.#isOver || !this.#socket?.isOpen || this.counts.sent >= this.#inFlight) return null;
    return [...this.#utterances].find(([, utterance]) => utterance.state === "waiting" && !utterance.isDelayed) ?? null;
  }

  async #sendUtterance(name, utterance) {
    const socket = this.#socket;
    utterance.state = "sent";
    utterance.attempt += 1;
    utterance.quietChecks = 0;
    this.onChange();
    try {
      const { sequence, attempt, audio } = utterance;
      const accepted = await socket.request("audio", { utterance: name, attempt, sequence, audio });
      this.captions.apply(accepted);
      if (accepted.done) this.#endUtterance(name, accepted.failed ? "failed" : "done");
    } catch (problem) {
      utterance.tries += problem.code === "BUSY" || problem.code === "BROKEN" ? 0 : 1;
      if (problem.code === "LATE") socket.close(); // The close handler connects again.
      if (RETRYABLE_CODES.has(problem.code) && utterance.tries < MAX_TRIES) this.#retry(utterance, RETRY_PAUSE_MS);
      else {
        this.#endUtterance(name, "failed");
        this.onFailure(problem);
      }
    }
    this.onChange();
  }

  // Send utterances again about which the server has sent no message for a long time.
  #checkSent() {
    for (const [name, utterance] of this.#utterances) {
      if (utterance.state !== "sent") continue;
      utterance.quietChecks += 1;
      if (utterance.quietChecks < MAX_QUIET_CHECKS) continue;
      utterance.tries += 1;
      if (utterance.tries < MAX_TRIES) this.#retry(utterance, 0);
      else {
        this.#endUtterance(name, "failed");
        this.onFailure(new Problem("A piece of speech has no captions after several attempts.", { todo: "Say it again." }));
      }
    }
    this.onChange();
    this.#sendWaiting();
  }
}
