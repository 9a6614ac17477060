// Caption lines on the screen: each result is one line, which is replaced until it is final. docs/transcription.md has the rules.

export class CaptionLines {
  #lines = [];

  // Apply one message of the server.
  apply(message) {
    if (message.type === "caption") {
      this.#removeLines((line) => isSameResult(line, message));
      this.#lines.push(message);
    } else if (message.type === "retract") {
      this.#removeLines((line) => isSameResult(line, message) && line.revision <= message.revision);
    }
  }

  // Remove the lines of an utterance that will be sent again, except final lines that end at or before `fromMs`.
  removeForResend({ utterance, fromMs }) {
    this.#removeLines((line) => line.utterance === utterance && !(line.final && line.endMs <= fromMs));
  }

  // Lines in the order of speech.
  get lines() {
    return this.#lines.toSorted((first, second) => first.sequence - second.sequence || first.startMs - second.startMs);
  }

  #removeLines(isRemoved) {
    this.#lines = this.#lines.filter((line) => !isRemoved(line));
  }
}

const isSameResult = (line, message) => line.utterance === message.utterance && line.resultId === message.resultId;
