// What came of one question: numbered pieces, in whatever order and however often they come. Pure.

import { bytesOf } from "./ids.js";
import { joined } from "./ogg.js";

export class Answer {
  #pieces = new Map();
  attempt = 1;
  end = null;

  // One message about the question; tells whether an answer began anew, in the place of what was heard.
  hear(message) {
    if (message.number === undefined) {
      if (message.type === "answered" || message.type === "error") this.end = message;
      return false;
    }
    if (message.attempt < this.attempt) return false;
    const anew = message.attempt > this.attempt;
    if (anew) {
      this.#pieces.clear();
      this.end = null;
    }
    this.attempt = message.attempt;
    this.#pieces.set(message.number, message);
    return anew;
  }

  // The first piece that is missing.
  get next() {
    let number = 0;
    while (this.#pieces.has(number)) number += 1;
    return number;
  }

  // Whether it said how many pieces there are, and all of them are here; or that there will be none.
  get isWhole() {
    return this.end !== null && (this.end.type === "error" || this.next >= this.end.pieces);
  }

  get question() {
    return this.#all("transcript").at(-1)?.text ?? "";
  }

  get text() {
    return this.#all("text").map((one) => one.text).join("");
  }

  get citations() {
    return this.#all("citation");
  }

  // Files of the spoken answer that are complete, in their order: nothing is heard before what comes before it.
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
    return [...this.#pieces.values()].filter((one) => one.type === type).sort((one, other) => one.number - other.number);
  }
}
