// A conversation over a WebSocket: messages are JSON, answers carry the question's `id`, the rest comes unasked.

import { Problem, answered } from "./problems.js";

const ANSWER_MS = 20000;
const CONNECT_MS = 10000;

export class Socket {
  #socket;
  #asked = new Map();
  #count = 0;
  #pinging = null;
  #over = false;

  // `onMessage` hears what nobody asked for, `onClose` that the connection broke.
  constructor(socket, { onMessage, onClose = () => {} }) {
    this.#socket = socket;
    this.onMessage = onMessage;
    socket.addEventListener("message", (event) => this.#take(JSON.parse(event.data)));
    this.onClose = onClose;
    socket.addEventListener("close", () => this.#end());
  }

  // Why a handshake failed, browsers do not tell: `refused` is said then.
  static open(url, { protocols = [], refused, ...heard }) {
    return new Promise((resolve, reject) => {
      let socket;
      try {
        socket = new WebSocket(url, protocols);
      } catch { // what a browser says of it repeats what was offered, a token among it
        reject(new Problem("This browser does not open such a connection.", { todo: refused }));
        return;
      }
      const late = setTimeout(() => socket.close(), CONNECT_MS);
      const fail = () => {
        clearTimeout(late);
        reject(new Problem(`${new URL(url).host} did not take the connection.`, { code: "REFUSED", todo: refused }));
      };
      // Of one that the page's policy forbids, Chromium tells no close.
      const ends = ["close", "error"];
      for (const one of ends) socket.addEventListener(one, fail);
      socket.addEventListener("open", () => {
        clearTimeout(late);
        for (const one of ends) socket.removeEventListener(one, fail);
        resolve(new Socket(socket, heard));
      }, { once: true });
    });
  }

  get isOpen() {
    return !this.#over && this.#socket.readyState === WebSocket.OPEN;
  }

  // The answer to a message; raises a Problem where it is an error.
  ask(action, content = {}) {
    const id = `m${(this.#count += 1)}`;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#asked.delete(id);
        reject(new Problem(`No answer to ${action} in ${ANSWER_MS / 1000} s.`, { code: "LATE", todo: "Try again in a moment.", retryable: true }));
      }, ANSWER_MS);
      const ends = (how) => (value) => {
        clearTimeout(late);
        how(value);
      };
      this.#asked.set(id, { resolve: ends(resolve), reject: ends(reject) });
      if (!this.isOpen) {
        this.#asked.delete(id);
        ends(reject)(new Problem("The connection broke.", { code: "BROKEN", todo: "Try again in a moment.", retryable: true }));
        return;
      }
      this.#socket.send(JSON.stringify({ action, id, ...content }));
    });
  }

  // Says every so often that it is there; `content` and `heard` are of those pings. Without an answer it is not.
  keepAlive(seconds, content, heard = () => {}) {
    const failed = (problem) => { if (problem.code === "LATE") this.close(); };
    this.#pinging = setInterval(() => this.ask("ping", content()).then(heard, failed), seconds * 1000);
  }

  // It is over at once, however long the browser waits for the other side to agree.
  close() {
    this.#socket.close();
    this.#end();
  }

  #end() {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#pinging);
    const lost = new Problem("The connection broke.", { code: "BROKEN", todo: "Try again in a moment.", retryable: true });
    for (const waiting of this.#asked.values()) waiting.reject(lost);
    this.#asked.clear();
    this.onClose();
  }

  #take(message) {
    if (this.#over) return;
    const waiting = message.id ? this.#asked.get(message.id) : undefined;
    if (!waiting) {
      this.onMessage(message);
      return;
    }
    this.#asked.delete(message.id);
    if (message.type === "error") waiting.reject(answered(message));
    else waiting.resolve(message);
  }
}
