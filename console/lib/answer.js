// Answer to one question, assembled from numbered pieces that may arrive in any order and more than once.

import { bytesOf } from "./ids.js";
import { joined } from "./ogg.js";

export class Answer {
  #pieces = new Map();
  attempt = 1;
  end = null;

  // Add a message. Return true if a new attempt starts, whose pieces replace all earlier ones.
  hear(message) {
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

  // Number of the first missing piece.
  get next() {
    let number = 0;
    while (this.#pieces.has(number)) number += 1;
    return number;
  }

  // True if the answer failed, or if its end and all pieces before it have arrived.
  get isWhole() {
    return this.end !== null && (this.end.type === "error" || this.next >= this.end.pieces);
  }

  get question() {
    return this.#all("transcript").at(-1)?.text ?? "";
  }

  get text() {
    return this.#all("text").map((piece) => piece.text).join("");
  }

  get citations() {
    return this.#all("citation");
  }

  // Complete audio files at the start of the spoken answer, in order. A file after a missing piece is not included.
  get files() {
    const [files, parts] = [[], []];
    for (let number = 0; number < this.next; number += 1) {
      const piece = this.#pieces.get(number);
      if (piece.type !== "audio") continue;
      parts.push(bytesOf(piece.audio));
      if (!piece.more) files.push(joined(parts.splice(0)));
    }
    return files;
  }

  #all(type) {
    return [...this.#pieces.values()].filter((piece) => piece.type === type).sort((first, second) => first.number - second.number);
  }
}
