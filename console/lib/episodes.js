// The livestream backend's operations (docs/openapi.json), as this page uses them.

import { ask, postForm, send } from "./http.js";

const PAGE = 100;

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

  // All of `claims` or `clips`, page by page.
  async findings(id, kind) {
    const found = [];
    for (let after = ""; after !== null;) {
      const page = await this.#ask(`/episodes/${id}/${kind}?limit=${PAGE}${after}`);
      found.push(...page[kind]);
      after = page.nextCursor ? `&cursor=${encodeURIComponent(page.nextCursor)}` : null;
    }
    return found;
  }

  // Uploads a track: a small one as a form, a large one in parts, as the API says.
  async upload(id, kind, file, contentType, onProgress) {
    const ready = await this.#ask(`/episodes/${id}/uploads`, { method: "POST", body: { kind, contentType, bytes: file.size } });
    if (ready.form) {
      await postForm(ready.form, file, onProgress);
      return;
    }
    const { multipartId, partBytes, parts } = ready.multipart;
    const sent = [];
    for (const [place, part] of parts.entries()) {
      const piece = file.slice(place * partBytes, (place + 1) * partBytes);
      const header = await send("PUT", part.url, piece, { onProgress: (share) => onProgress((place + share) / parts.length) });
      sent.push({ partNumber: part.partNumber, etag: header("ETag") });
    }
    await this.#ask(`/episodes/${id}/uploads/${ready.uploadId}`, { method: "POST", body: { multipartId, parts: sent } });
  }

  async #ask(path, request = {}) {
    const { apiUrl, authorizer } = this.#settings;
    const headers = {};
    if (authorizer === "jwt") headers.Authorization = `Bearer ${await this.#visitor.token()}`;
    if (authorizer === "apiKey") headers["x-api-key"] = this.#visitor.apiKey;
    return ask(`${apiUrl}${path}`, { ...request, headers });
  }
}

const TYPES = {
  mp4: "video/mp4", m4v: "video/mp4", mov: "video/quicktime", webm: "video/webm", mkv: "video/x-matroska",
  srt: "application/x-subrip", vtt: "text/vtt", json: "application/json", txt: "text/plain",
};

// What an upload says that it is: browsers do not know all of them.
export const contentType = (file) => TYPES[file.name.split(".").pop().toLowerCase()] ?? file.type;
