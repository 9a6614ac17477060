// Answer to one question about a lecture. It is assembled from numbered pieces, which may arrive in any order and more than once. If some
// of them are missing at the end, the page fetches the stored answer. If the backend fails while it answers, it starts a new attempt, whose
// pieces replace all earlier ones.

import { fromBase64 } from "./bytes.js";

export class Answer {
  #pieces = new Map(); // by number
  attempt = 1; // number of the latest attempt of which a piece has arrived
  end = null; // the message that ends the answer: `answered` or `error`

  // Add a message. Return true if it is the first piece of a new attempt.
  add(message) {
    if (message.number === undefined) {
      if (message.type === "answered" || message.type === "error") this.end = message;
      return false;
    }
    if (message.attempt < this.attempt) return false;
    const isNewAttempt = message.attempt > this.attempt;
    if (isNewAttempt) {
      this.#pieces.clear();
      this.end = null;
    }
    this.attempt = message.attempt;
    this.#pieces.set(message.number, message);
    return isNewAttempt;
  }

  get firstMissing() {
    let number = 0;
    while (this.#pieces.has(number)) number += 1;
    return number;
  }

  // True if the answer failed, or if its end and all pieces before it have arrived.
  get isComplete() {
    return this.end !== null && (this.end.type === "error" || this.firstMissing >= this.end.pieces);
  }

  get question() {
    return this.#piecesOf("transcript").at(-1)?.text ?? "";
  }

  get text() {
    return this.#piecesOf("text").map((piece) => piece.text).join("");
  }

  get citations() {
    return this.#piecesOf("citation");
  }

  // Audio files of the spoken answer in order, up to the first missing piece. Each audio piece is a file.
  get audioFiles() {
    const end = this.firstMissing;
    return this.#piecesOf("audio").filter((piece) => piece.number < end).map((piece) => fromBase64(piece.audio));
  }

  #piecesOf(type) {
    return [...this.#pieces.values()].filter((piece) => piece.type === type).sort((first, second) => first.number - second.number);
  }
}
