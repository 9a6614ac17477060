// Caption lines on the screen. The server sends captions of a piece of speech, called a result, while it is still being recognised. Each
// result is one line, which later captions of the same result replace. docs/transcription.md has the rules.

export class CaptionLines {
  #lines = [];

  apply(message) {
    if (message.type === "caption") {
      this.#removeLines((line) => isSameResult(line, message));
      this.#lines.push(message);
    } else if (message.type === "retract") {
      this.#removeLines((line) => isSameResult(line, message) && line.revision <= message.revision);
    }
  }

  // Remove the lines of an utterance (a few seconds of speech) that will be sent again. Final lines up to `fromMs` stay.
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
