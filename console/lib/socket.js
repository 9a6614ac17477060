// WebSocket with JSON messages. A response has the `id` of its request; all other messages are notifications.

import { Problem, answered } from "./problems.js";

const ANSWER_MS = 20000;
const CONNECT_MS = 10000;

export class Socket {
  #socket;
  #asked = new Map();
  #count = 0;
  #pinging = null;
  #over = false;

  // `onMessage` receives notifications. `onClose` is called when the connection ends.
  constructor(socket, { onMessage, onClose = () => {} }) {
    this.#socket = socket;
    this.onMessage = onMessage;
    socket.addEventListener("message", (event) => this.#take(JSON.parse(event.data)));
    this.onClose = onClose;
    socket.addEventListener("close", () => this.#end());
  }

  // Browsers do not report why a handshake failed, so `refused` is the advice for every failure.
  static open(url, { protocols = [], refused, ...heard }) {
    return new Promise((resolve, reject) => {
      let socket;
      try {
        socket = new WebSocket(url, protocols);
      } catch { // The browser's error is dropped, because it contains the offered subprotocols and thereby the token.
        reject(new Problem("This browser cannot open the connection.", { todo: refused }));
        return;
      }
      const late = setTimeout(() => socket.close(), CONNECT_MS);
      const fail = () => {
        clearTimeout(late);
        reject(new Problem(`${new URL(url).host} did not accept the connection.`, { code: "REFUSED", todo: refused }));
      };
      // Chromium sends no `close` event for a connection that the page's policy blocks, only `error`.
      const ends = ["close", "error"];
      for (const name of ends) socket.addEventListener(name, fail);
      socket.addEventListener("open", () => {
        clearTimeout(late);
        for (const name of ends) socket.removeEventListener(name, fail);
        resolve(new Socket(socket, heard));
      }, { once: true });
    });
  }

  get isOpen() {
    return !this.#over && this.#socket.readyState === WebSocket.OPEN;
  }

  // Send a request and return its response. Throw a Problem for an error response.
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

  // Send pings with the given content and pass their responses to `heard`. Close the connection if a ping gets no response.
  keepAlive(seconds, content, heard = () => {}) {
    const failed = (problem) => { if (problem.code === "LATE") this.close(); };
    this.#pinging = setInterval(() => this.ask("ping", content()).then(heard, failed), seconds * 1000);
  }

  // Close the connection. `onClose` is called at once, although the browser may still wait for the server's close frame.
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
