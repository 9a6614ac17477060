// Client of the livestream backend's REST API (docs/openapi.json).

import { ask, postForm, send } from "./http.js";

const PAGE = 100;
// Error codes of S3 for an expired URL, or for a URL whose signing credentials have expired.
const EXPIRED = ["AccessDenied", "ExpiredToken"];
// Share of its lifetime after which a URL is replaced, because S3 may close the connection in the middle of a part.
const AGED = 0.5;

export class Episodes {
  #settings;
  #visitor;

  constructor(settings, visitor) {
    this.#settings = settings;
    this.#visitor = visitor;
  }

  create = (episode) => this.#ask("/episodes", { method: "POST", body: episode });
  get = (id) => this.#ask(`/episodes/${id}`);
  remove = (id) => this.#ask(`/episodes/${id}`, { method: "DELETE" });

  async list() {
    return (await this.#ask("/episodes?limit=20")).episodes;
  }

  // Return all `claims` or `clips` of an episode, reading page by page.
  async findings(id, kind) {
    const results = [];
    for (let after = ""; after !== null;) {
      const page = await this.#ask(`/episodes/${id}/${kind}?limit=${PAGE}${after}`);
      results.push(...page[kind]);
      after = page.nextCursor ? `&cursor=${encodeURIComponent(page.nextCursor)}` : null;
    }
    return results;
  }

  // Upload a video or transcript, by form or in parts as the API decides. Fail if another user signs in meanwhile.
  async upload(id, kind, file, contentType, onProgress) {
    const stays = this.#visitor.staying("the upload was complete", "Sign in at the top as the user who started it, and choose the file again.");
    const post = (path, body) => this.#ask(path, { method: "POST", body }, stays);
    const ready = await post(`/episodes/${id}/uploads`, { kind, contentType, bytes: file.size });
    stays();
    if (ready.form) {
      await postForm(ready.form, file, onProgress);
      return;
    }
    const where = `/episodes/${id}/uploads/${ready.uploadId}`;
    const { multipartId, partBytes, parts } = ready.multipart;
    // URLs expire, and a large file may take longer.
    let [signed, since] = [parts, Date.now()];
    const sign = async () => {
      signed = (await post(`${where}/parts`, { multipartId })).multipart.parts;
      since = Date.now();
    };
    const sent = [];
    for (const [place, { partNumber }] of parts.entries()) {
      const piece = file.slice(place * partBytes, (place + 1) * partBytes);
      const put = () => send("PUT", signed[place].url, piece, { onProgress: (share) => onProgress((place + share) / parts.length) });
      stays();
      if (Date.now() - since > AGED * ready.expiresSeconds * 1000) await sign();
      const header = await put().catch(async (problem) => {
        if (!EXPIRED.includes(problem.code)) throw problem;
        await sign();
        return put();
      });
      sent.push({ partNumber, etag: header("ETag") });
    }
    await post(where, { multipartId, parts: sent });
  }

  async #ask(path, request = {}, stays = () => {}) {
    const { apiUrl, authorizer } = this.#settings;
    const headers = {};
    if (authorizer === "jwt") headers.Authorization = `Bearer ${await this.#visitor.token()}`;
    if (authorizer === "apiKey") headers["x-api-key"] = this.#visitor.apiKey;
    stays(); // Another user may have signed in while the token was requested.
    return ask(`${apiUrl}${path}`, { ...request, headers });
  }
}

const TYPES = {
  mp4: "video/mp4", m4v: "video/mp4", mov: "video/quicktime", webm: "video/webm", mkv: "video/x-matroska",
  srt: "application/x-subrip", vtt: "text/vtt", json: "application/json", txt: "text/plain",
};

// Content type of a file. Browsers do not know all of these extensions.
export const contentType = (file) => TYPES[file.name.split(".").pop().toLowerCase()] ?? file.type;
