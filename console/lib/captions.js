// Caption lines on the screen: each result is one line, which is replaced until it is final. docs/transcription.md has the rules.

export class Captions {
  #lines = [];

  // Apply one message of the server.
  take(message) {
    if (message.type === "caption") {
      this.#without((line) => same(line, message));
      this.#lines.push(message);
    } else if (message.type === "retract") {
      this.#without((line) => same(line, message) && line.revision <= message.revision);
    }
  }

  // Remove the lines of an utterance that will be sent again, except final lines that end at or before `fromMs`.
  cut({ utterance, fromMs }) {
    this.#without((line) => line.utterance === utterance && !(line.final && line.endMs <= fromMs));
  }

  // Lines in the order of speech.
  get lines() {
    return this.#lines.toSorted((first, second) => first.sequence - second.sequence || first.startMs - second.startMs);
  }

  #without(isRemoved) {
    this.#lines = this.#lines.filter((line) => !isRemoved(line));
  }
}

const same = (line, message) => line.utterance === message.utterance && line.resultId === message.resultId;
