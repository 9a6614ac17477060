// What a reader of captions sees: each result is one line, replaced until it is final. Pure; docs/transcription.md has the rules.

export class Captions {
  #lines = [];

  // Follows one message.
  take(message) {
    if (message.type === "caption") {
      this.#without((line) => same(line, message));
      this.#lines.push(message);
    } else if (message.type === "retract") {
      this.#without((line) => same(line, message) && line.revision <= message.revision);
    }
  }

  // An utterance is to be said again: what is not final by then comes again with it.
  cut({ utterance, fromMs }) {
    this.#without((line) => line.utterance === utterance && !(line.final && line.endMs <= fromMs));
  }

  // In the order of speech.
  get lines() {
    return this.#lines.toSorted((one, other) => one.sequence - other.sequence || one.startMs - other.startMs);
  }

  #without(those) {
    this.#lines = this.#lines.filter((line) => !those(line));
  }
}

const same = (line, message) => line.utterance === message.utterance && line.resultId === message.resultId;
