// Client of the livestream backend's REST API (docs/reference/openapi.json).

import { postForm, requestJson, sendBody, sendOrRenew } from "./http.js";
import { Problem } from "./problems.js";

const PAGE_SIZE = 100;
// URLs are replaced after this share of their lifetime, because S3 may close the connection if one expires in the middle of a part.
const MAX_URL_AGE = 0.5;

export class LivestreamApi {
  #settings;
  #visitor;

  constructor(settings, visitor) {
    this.#settings = settings;
    this.#visitor = visitor;
  }

  create = (episode) => this.#request("/episodes", { method: "POST", body: episode });
  get = (id) => this.#request(`/episodes/${id}`);
  remove = (id) => this.#request(`/episodes/${id}`, { method: "DELETE" });

  async list() {
    return (await this.#request("/episodes?limit=20")).episodes;
  }

  // Return all `claims` or `clips` of an episode, reading page by page.
  async listFindings(id, kind) {
    const results = [];
    for (let after = ""; after !== null;) {
      const page = await this.#request(`/episodes/${id}/${kind}?limit=${PAGE_SIZE}${after}`);
      results.push(...page[kind]);
      after = page.nextCursor ? `&cursor=${encodeURIComponent(page.nextCursor)}` : null;
    }
    return results;
  }

  // Return all chunks of an episode's video, reading page by page. Their URLs are valid for minutes only.
  async listChunks(id) {
    const chunks = [];
    for (let from = 0; from !== undefined;) {
      const page = await this.#request(`/episodes/${id}/chunks?limit=${PAGE_SIZE}&fromMs=${from}`);
      chunks.push(...page.chunks);
      from = page.nextMs;
    }
    return chunks;
  }

  // Return a new URL of the chunk at a position.
  async chunkUrl(id, positionMs) {
    const { chunks: [chunk] } = await this.#request(`/episodes/${id}/chunks?limit=1&fromMs=${positionMs}`);
    return chunk.url;
  }

  // Upload a video or transcript. The API decides whether it is sent by form or in parts. Fail if another user signs in meanwhile.
  async upload(id, kind, file, contentType, onProgress) {
    const checkUser = this.#visitor.createUserCheck("the upload was complete", "Sign in at the top as the user who started it, and choose the file again.");
    const post = (path, body) => this.#request(path, { method: "POST", body }, checkUser);
    let ready;
    const requestUpload = async () => {
      ready = await post(`/episodes/${id}/uploads`, { kind, contentType, bytes: file.size });
      checkUser();
    };
    await requestUpload();
    if (ready.form) {
      await sendOrRenew(() => postForm(ready.form, file, onProgress), requestUpload);
      return;
    }
    const uploadPath = `/episodes/${id}/uploads/${ready.uploadId}`;
    const { partBytes, urls } = ready.multipart;
    // The upload of a large file may take longer than its URLs are valid.
    let [signedUrls, signedAt] = [urls, Date.now()];
    const renewUrls = async () => {
      signedUrls = (await post(`${uploadPath}/parts`)).multipart.urls;
      signedAt = Date.now();
    };
    const etags = [];
    for (const index of urls.keys()) {
      const piece = file.slice(index * partBytes, (index + 1) * partBytes);
      const putPiece = () => sendBody("PUT", signedUrls[index], piece, { onProgress: (share) => onProgress((index + share) / urls.length) });
      checkUser();
      if (Date.now() - signedAt > MAX_URL_AGE * ready.expiresSeconds * 1000) await renewUrls();
      const header = await sendOrRenew(putPiece, renewUrls);
      etags.push(header("ETag"));
    }
    await post(uploadPath, { etags });
  }

  async #request(path, request = {}, checkUser = () => {}) {
    const { apiUrl, authorizer } = this.#settings;
    const headers = {};
    if (authorizer === "jwt") headers.Authorization = `Bearer ${await this.#visitor.token()}`;
    checkUser(); // Another user may have signed in while the token was requested.
    return requestJson(`${apiUrl}${path}`, { ...request, headers });
  }
}

const CONTENT_TYPES = {
  video: { mp4: "video/mp4", m4v: "video/mp4", mov: "video/quicktime", webm: "video/webm", mkv: "video/x-matroska" },
  transcript: { srt: "application/x-subrip", vtt: "text/vtt", json: "application/json" },
};

// Return the content type of a video or transcript, by its extension, because browsers do not know all of them. Throw a Problem for other files.
export function contentType(kind, file) {
  const types = CONTENT_TYPES[kind];
  const found = types[file.name.split(".").pop().toLowerCase()];
  if (found) return found;
  throw new Problem(`A ${kind} of this type cannot be uploaded.`, { todo: `Choose a file that ends with .${Object.keys(types).join(", .")}.` });
}
