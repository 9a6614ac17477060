// WebSocket with JSON messages. A response has the `id` of its request; all other messages are notifications.

import { Problem, problemFromMessage, unreachableProblem } from "./problems.js";

const RESPONSE_TIMEOUT_MS = 20000;
const CONNECT_TIMEOUT_MS = 10000;

// Return true if the host of a WebSocket URL answers an HTTP request, with whatever status.
async function answersHttp(url) {
  try {
    await fetch(new URL("/", url.replace(/^ws/, "http")), { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    return true;
  } catch {
    return false;
  }
}

export class Socket {
  #socket;
  #pending = new Map();
  #count = 0;
  #pingTimer = null;
  #isClosed = false;

  // `onMessage` receives notifications. `onClose` is called when the connection ends.
  constructor(socket, { onMessage, onClose = () => {} }) {
    this.#socket = socket;
    this.onMessage = onMessage;
    socket.addEventListener("message", (event) => this.#handleMessage(JSON.parse(event.data)));
    this.onClose = onClose;
    socket.addEventListener("close", () => this.#handleClose());
  }

  // Open a connection. Browsers do not report why a handshake failed. `refused` is the advice for the visitor if the host answers HTTP
  // requests but did not accept the connection.
  static open(url, { protocols = [], refused, ...handlers }) {
    return new Promise((resolve, reject) => {
      let socket;
      try {
        socket = new WebSocket(url, protocols);
      } catch { // The browser's error is dropped, because it contains the offered subprotocols and thereby the token.
        reject(new Problem("This browser cannot open the connection.", { todo: refused }));
        return;
      }
      const timer = setTimeout(() => socket.close(), CONNECT_TIMEOUT_MS);
      const fail = async () => {
        clearTimeout(timer);
        const problem = (await answersHttp(url))
          ? new Problem(`${new URL(url).host} did not accept the connection.`, { code: "REFUSED", todo: refused })
          : unreachableProblem(url, refused);
        reject(problem);
      };
      // Chromium sends no `close` event for a connection that the page's policy blocks, only `error`.
      const failures = ["close", "error"];
      for (const name of failures) socket.addEventListener(name, fail);
      socket.addEventListener("open", () => {
        clearTimeout(timer);
        for (const name of failures) socket.removeEventListener(name, fail);
        resolve(new Socket(socket, handlers));
      }, { once: true });
    });
  }

  get isOpen() {
    return !this.#isClosed && this.#socket.readyState === WebSocket.OPEN;
  }

  // Send a request and return its response. Throw a Problem for an error response.
  request(action, content = {}) {
    const id = `m${(this.#count += 1)}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Problem(`The server did not answer within ${RESPONSE_TIMEOUT_MS / 1000} seconds.`, { code: "LATE", todo: "Try again in a moment.", retryable: true }));
      }, RESPONSE_TIMEOUT_MS);
      const settle = (callback) => (value) => {
        clearTimeout(timer);
        callback(value);
      };
      this.#pending.set(id, { resolve: settle(resolve), reject: settle(reject) });
      if (!this.isOpen) {
        this.#pending.delete(id);
        settle(reject)(new Problem("The connection broke.", { code: "BROKEN", todo: "Try again in a moment.", retryable: true }));
        return;
      }
      this.#socket.send(JSON.stringify({ action, id, ...content }));
    });
  }

  // Send a ping at this interval. Close the connection if no response comes in time.
  keepAlive(seconds) {
    const onFailure = (problem) => { if (problem.code === "LATE") this.close(); };
    this.#pingTimer = setInterval(() => this.request("ping").catch(onFailure), seconds * 1000);
  }

  // Close the connection. `onClose` is called at once, although the browser may still wait for the server's close frame.
  close() {
    this.#socket.close();
    this.#handleClose();
  }

  #handleClose() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#pingTimer);
    const problem = new Problem("The connection broke.", { code: "BROKEN", todo: "Try again in a moment.", retryable: true });
    for (const request of this.#pending.values()) request.reject(problem);
    this.#pending.clear();
    this.onClose();
  }

  #handleMessage(message) {
    if (this.#isClosed) return;
    const request = message.id ? this.#pending.get(message.id) : undefined;
    if (!request) {
      this.onMessage(message);
      return;
    }
    this.#pending.delete(message.id);
    if (message.type === "error") request.reject(problemFromMessage(message));
    else request.resolve(message);
  }
}
