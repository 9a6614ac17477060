// Player for the audio files of a spoken answer, one after another as they arrive.

import { Problem } from "./problems.js";

export class Voice {
  #context = null;
  #end = 0;
  #playing = new Set();
  #chain = Promise.resolve();
  #round = 0;

  // `failed` is called with a Problem if a file cannot be played.
  constructor(failed) {
    this.failed = failed;
  }

  // Enable playback. Call this while a click is handled, because browsers block audio otherwise.
  ready() {
    this.#context ??= new AudioContext();
    return this.#context.resume();
  }

  add(file) {
    const round = this.#round;
    this.#chain = this.#chain.then(() => this.#schedule(file, round)).catch(() => {
      this.failed(new Problem("This browser cannot play the spoken answer.", { todo: "Read the answer, or use a current Chrome, Edge, Firefox or Safari." }));
    });
  }

  stop() {
    this.#round += 1;
    for (const source of this.#playing) source.stop();
    this.#playing.clear();
    this.#end = 0;
  }

  async #schedule(file, round) {
    this.#context ??= new AudioContext();
    const buffer = await this.#context.decodeAudioData(file.slice().buffer);
    if (round !== this.#round) return;
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    source.addEventListener("ended", () => this.#playing.delete(source));
    const start = Math.max(this.#context.currentTime, this.#end);
    source.start(start);
    this.#end = start + buffer.duration;
    this.#playing.add(source);
  }
}
