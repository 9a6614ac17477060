// Caption lines on the screen. The server sends captions of a piece of speech, called a result, while it is still being recognised. Each
// result is one line, which later captions of the same result replace. Each time that the client sends an utterance, it is another attempt
// with a higher number, whose lines replace those of lower attempts. docs/transcription.md has the rules.

export class CaptionLines {
  #lines = [];
  #attempts = new Map(); // by utterance: highest attempt of which a caption or the end has arrived
  #ended = new Set(); // utterances that are done or given up

  // Apply a message about an attempt: `caption`, `done`, `failed`, or the answer `accepted`. Return false if it comes too late to count.
  apply(message) {
    const { type, utterance, attempt } = message;
    if (this.#ended.has(utterance) || attempt < (this.#attempts.get(utterance) ?? 0)) return false;
    if (type === "caption" || type === "done") {
      this.#attempts.set(utterance, attempt);
      this.#removeLines((line) => line.utterance === utterance && line.attempt < attempt);
    }
    if (type === "caption") {
      this.#removeLines((line) => line.utterance === utterance && line.resultId === message.resultId);
      if (message.text) this.#lines.push(message);
    } else if (type === "done" || message.done || message.retryable === false) {
      this.#ended.add(utterance);
      this.#removeLines((line) => line.utterance === utterance && !line.final);
    }
    return true;
  }

  // Lines in the order of speech.
  get lines() {
    return this.#lines.toSorted((first, second) => first.sequence - second.sequence || first.startMs - second.startMs);
  }

  #removeLines(isRemoved) {
    this.#lines = this.#lines.filter((line) => !isRemoved(line));
  }
}
