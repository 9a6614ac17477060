// Player for the video of an episode. Its chunks are HLS segments (MPEG-TS), which no browser plays alone, so hls.js converts them for the
// video element. The playlist is made here, because each chunk has its own presigned URL. These URLs are valid for minutes, so a new one is
// requested when hls.js loads the chunk.

import { Problem } from "./problems.js";

const CHUNK_URL = "https://chunk.invalid/"; // Stands in the playlist for the URL of the chunk at the position that follows, in milliseconds.
// `backBufferLength`: seconds behind the position that stay in memory. `enableWorker`: hls.js would make its worker from its own source, which
// the content security policy forbids.
const SETTINGS = { autoStartLoad: false, backBufferLength: 60, enableWorker: false };

export class ChunkPlayer {
  #api;
  #player;
  #showProblem;
  #episodeId = null; // the open episode
  #hls = null;
  #startSeconds = 0;
  #isWanted = false; // The visitor has started the video.
  #isLoading = false; // Chunks are loaded. This begins when the playlist is ready and the video is wanted.

  // `showProblem` is called with a Problem if the video cannot be played, and with null when it is replaced.
  constructor(api, player, showProblem) {
    this.#api = api;
    this.#player = player;
    this.#showProblem = showProblem;
    player.addEventListener("play", () => {
      this.#isWanted = true;
      this.#load();
    });
  }

  // Show the video of an episode. Its chunks are large, so none is loaded before the visitor plays it.
  async open(episodeId) {
    if (episodeId === this.#episodeId) return;
    this.close();
    this.#episodeId = episodeId;
    this.#player.hidden = false;
    try {
      const [{ default: Hls }, chunks] = await Promise.all([import("../vendor/hls.js"), this.#api.listChunks(episodeId)]);
      if (episodeId === this.#episodeId) this.#attach(Hls, chunks);
    } catch (failure) {
      if (episodeId === this.#episodeId) this.#fail(failure);
    }
  }

  // Remove the video.
  close() {
    this.#hls?.destroy();
    [this.#episodeId, this.#hls, this.#startSeconds, this.#isWanted, this.#isLoading] = [null, null, 0, false, false];
    this.#player.hidden = true;
    this.#showProblem(null);
  }

  playFrom(seconds) {
    this.#startSeconds = seconds;
    this.#isWanted = true;
    if (this.#isLoading) this.#player.currentTime = seconds;
    this.#player.play().catch(() => {}); // It is repeated when the playlist is ready.
    this.#load();
  }

  #attach(Hls, chunks) {
    if (!Hls.isSupported()) throw new Problem("This browser cannot play the video.", { todo: "Use another browser." });
    const episodeId = this.#episodeId;
    let lastProblem = null;
    const hls = new Hls({
      ...SETTINGS,
      xhrSetup: async (request, url) => {
        if (!url.startsWith(CHUNK_URL)) return;
        lastProblem = null;
        const chunkUrl = await this.#api.chunkUrl(episodeId, Number(url.slice(CHUNK_URL.length))).catch((failure) => {
          lastProblem = failure;
          throw failure; // hls.js tries again a few times.
        });
        request.open("GET", chunkUrl);
      },
    });
    this.#hls = hls;
    const playlistUrl = URL.createObjectURL(new Blob([createPlaylist(chunks)]));
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      URL.revokeObjectURL(playlistUrl);
      if (this.#isWanted) this.playFrom(this.#startSeconds);
    });
    hls.on(Hls.Events.ERROR, (_, { fatal }) => {
      if (fatal && hls === this.#hls) this.#fail(lastProblem ?? new Problem("The video could not be played.", { todo: "Open the episode again in a moment." }));
    });
    hls.loadSource(playlistUrl);
    hls.attachMedia(this.#player);
  }

  #load() {
    if (!this.#hls?.levels.length || this.#isLoading) return;
    this.#isLoading = true;
    this.#hls.startLoad(this.#startSeconds);
  }

  #fail(failure) {
    const episodeId = this.#episodeId;
    this.close();
    this.#episodeId = episodeId; // The next update of the panel must not try again.
    this.#showProblem(failure);
  }
}

function createPlaylist(chunks) {
  const longest = Math.ceil(Math.max(...chunks.map((chunk) => chunk.durationMs)) / 1000);
  const entries = chunks.map(({ startMs, durationMs }) => `#EXTINF:${durationMs / 1000},\n${CHUNK_URL}${startMs}`);
  return ["#EXTM3U", "#EXT-X-VERSION:3", `#EXT-X-TARGETDURATION:${longest}`, ...entries, "#EXT-X-ENDLIST", ""].join("\n");
}
