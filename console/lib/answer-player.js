// Player for the audio files of a spoken answer, one after another as they arrive.

import { Problem } from "./problems.js";

export class AnswerPlayer {
  #context = null;
  #endTime = 0; // time of the audio context at which the last scheduled file ends
  #playing = new Set();
  #queue = Promise.resolve();
  #stopCount = 0; // number of calls of `stop`; a file that was added before the last of these calls is not played

  // `onFailure` is called with a Problem if a file cannot be played.
  constructor(onFailure) {
    this.onFailure = onFailure;
  }

  // Enable playback. Call this while a click is handled, because browsers block audio otherwise.
  enable() {
    this.#context ??= new AudioContext();
    return this.#context.resume();
  }

  add(file) {
    const stopCount = this.#stopCount;
    this.#queue = this.#queue.then(() => this.#schedule(file, stopCount)).catch(() => {
      this.onFailure(new Problem("This browser cannot play the spoken answer.", { todo: "Read the answer, or use a current Chrome, Edge, Firefox or Safari." }));
    });
  }

  stop() {
    this.#stopCount += 1;
    for (const source of this.#playing) source.stop();
    this.#playing.clear();
    this.#endTime = 0;
  }

  async #schedule(file, stopCount) {
    this.#context ??= new AudioContext();
    const buffer = await this.#context.decodeAudioData(file.slice().buffer);
    if (stopCount !== this.#stopCount) return;
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    source.addEventListener("ended", () => this.#playing.delete(source));
    const start = Math.max(this.#context.currentTime, this.#endTime);
    source.start(start);
    this.#endTime = start + buffer.duration;
    this.#playing.add(source);
  }
}
