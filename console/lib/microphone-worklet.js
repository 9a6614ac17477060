// Audio worklet that sends the microphone's samples to the page in pieces of about 40 ms.

class SampleSender extends AudioWorkletProcessor {
  #buffer = new Float32Array(2048);
  #filled = 0;

  process([[samples]]) {
    if (!samples) return true;
    this.#buffer.set(samples, this.#filled);
    this.#filled += samples.length;
    if (this.#filled === this.#buffer.length) {
      this.port.postMessage(this.#buffer);
      this.#filled = 0;
    }
    return true;
  }
}

registerProcessor("sample-sender", SampleSender);
