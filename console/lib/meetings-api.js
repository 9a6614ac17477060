// Client of the meetings backend: exchanges a token for AWS credentials, and uses S3 and DynamoDB with them.

import { getObject, presignUrl, putObject } from "./aws-requests.js";
import { requestJson } from "./http.js";
import { sha256, toBase64, toHex } from "./bytes.js";
import { ulid } from "./ids.js";
import { getItem, query, toAttributes } from "./dynamodb-items.js";
import { Problem } from "./problems.js";
import { userChangedProblem } from "./visitor.js";

const SESSION_NAME = "console";
const MAX_CHUNK_BYTES = 1024 ** 3; // because a chunk is hashed in memory
const MAX_LENGTHS = { title: 200, participants: 100, tags: 50 }; // characters
const MAX_COUNTS = { participants: 100, tags: 50 };
const PAGE_SIZE = 50;
const MEDIA_URL_SECONDS = 900; // The credentials are renewed 15 minutes before they expire, so they last as long as the URL.
const INTERRUPTED_UPLOAD = ["the upload was complete", "Sign in at the top as the user who started it, and upload the files again."];

export class MeetingsApi {
  #stack;
  #visitor;
  #access = null;
  #unfinishedUpload = null; // the upload that runs or was interrupted

  constructor(stack, visitor) {
    this.#stack = stack;
    this.#visitor = visitor;
    visitor.addEventListener("signin", () => { this.#access = null; });
  }

  // Return AWS credentials for the visitor's own meetings. The backend exchanges the visitor's token for them, and again before they expire.
  async access() {
    if (this.#access && Date.now() < Date.parse(this.#access.renewAfter)) return this.#access;
    const { signInCount } = this.#visitor;
    const body = { token: await this.#visitor.token(), sessionName: SESSION_NAME };
    const response = await requestJson(`${this.#stack.frontend.meetings.apiUrl}/exchange`, { method: "POST", body });
    if (signInCount !== this.#visitor.signInCount) return this.access(); // These credentials belong to the previous visitor.
    const { accessKeyId, secretAccessKey, sessionToken } = response;
    this.#access = { ...response, credentials: { accessKeyId, secretAccessKey, sessionToken } };
    return this.#access;
  }

  // Upload the chunks (files) of a recording in order, then the object `complete.json`, which lists them. Return the meeting's id. S3
  // rejects a chunk that does not match its hash. If the same visitor chooses the same files again after an interruption, continue after
  // the last chunk that arrived.
  async upload(details, files, onProgress) {
    validateDetails(details);
    const checkUser = this.#visitor.createUserCheck(...INTERRUPTED_UPLOAD);
    const { user } = await this.access();
    checkUser();
    const fingerprint = JSON.stringify([user, ...files.map((file) => [file.name, file.size, file.lastModified])]);
    if (this.#unfinishedUpload?.fingerprint !== fingerprint) this.#unfinishedUpload = { fingerprint, meetingId: ulid(), chunks: [] };
    const { meetingId, chunks } = this.#unfinishedUpload;
    for (const [index, file] of files.entries()) {
      if (index < chunks.length) {
        onProgress(index, 1);
        continue;
      }
      if (!file.size || file.size > MAX_CHUNK_BYTES) {
        throw new Problem(`${file.name} has ${file.size} bytes, but this page uploads chunks of 1 byte to 1 GiB.`, {
          todo: "Record shorter chunks.",
        });
      }
      const name = `${String(index).padStart(5, "0")}${/\.[A-Za-z0-9]{1,8}$/.exec(file.name)?.[0] ?? ""}`;
      const data = await file.arrayBuffer();
      const hash = await sha256(data);
      await this.#put(user, meetingId, name, data, hash, (share) => onProgress(index, share));
      chunks.push({ name, bytes: file.size, sha256: toHex(hash) });
    }
    const complete = new TextEncoder().encode(JSON.stringify({ schemaVersion: 1, ...details, chunks }));
    await this.#put(user, meetingId, "complete.json", complete, await sha256(complete));
    this.#unfinishedUpload = null;
    return meetingId;
  }

  async find(meetingId) {
    const { credentials, tableName, user } = await this.access();
    return getItem(this.#stack, credentials, tableName, { user, meetingId });
  }

  // Delete a meeting of the visitor, with its recording and everything that was made from it.
  async delete(meetingId) {
    const headers = { Authorization: `Bearer ${await this.#visitor.token()}` };
    await requestJson(`${this.#stack.frontend.meetings.apiUrl}/meetings/${meetingId}`, { method: "DELETE", headers });
  }

  // Return a page of meetings, newest first. `after` is the value from the previous page.
  async listNewest(after) {
    const { credentials, tableName, user } = await this.access();
    return query(this.#stack, credentials, {
      TableName: tableName,
      IndexName: this.#stack.frontend.meetings.index,
      KeyConditionExpression: "#user = :user",
      ExpressionAttributeNames: { "#user": "user" },
      ExpressionAttributeValues: toAttributes({ ":user": user }),
      ScanIndexForward: false,
      Limit: PAGE_SIZE,
      ExclusiveStartKey: after,
    });
  }

  // Return a JSON document of a meeting, or null if it does not exist.
  async getDocument(key) {
    if (!key) return null;
    const { credentials, bucketName } = await this.access();
    const response = await getObject(this.#stack, credentials, bucketName, key);
    return response && response.json();
  }

  async presignVideoUrl(key) {
    const { credentials, bucketName } = await this.access();
    return presignUrl(this.#stack, "s3", credentials, this.#stack.objectUrl(bucketName, key), MEDIA_URL_SECONDS);
  }

  // Return a URL with which a player reads one part of the audio. `content` is the hash that identifies the recording.
  async presignAudioUrl({ meetingId, content }, part) {
    const { credentials, bucketName, user } = await this.access();
    const key = `audio/${user}/${meetingId}/${content}/${String(part).padStart(3, "0")}.flac`;
    return presignUrl(this.#stack, "s3", credentials, this.#stack.objectUrl(bucketName, key), MEDIA_URL_SECONDS);
  }

  // Stop if another user has signed in. The chunk would be stored below the prefix of that user, who could read it.
  async #put(user, meetingId, name, data, hash, onProgress) {
    const { credentials, bucketName, ...access } = await this.access();
    if (access.user !== user) throw userChangedProblem(...INTERRUPTED_UPLOAD);
    const headers = { "x-amz-checksum-sha256": toBase64(hash), "x-amz-sdk-checksum-algorithm": "SHA256" };
    await putObject(this.#stack, credentials, bucketName, `raw/${user}/${meetingId}/${name}`, data, { headers, onProgress });
  }
}

// Check title, participants and tags before the upload, with the limits that the backend checks after it.
export function validateDetails(details) {
  for (const [name, maxLength] of Object.entries(MAX_LENGTHS)) {
    const values = [details[name] ?? []].flat();
    const invalid = values.find((value) => !value.trim() || [...value.trim()].length > maxLength);
    if (invalid !== undefined) throw new Problem(`${name}: ${invalid.trim() ? `"${invalid}" is too long` : "a value is empty"}.`, { todo: `Give 1 to ${maxLength} characters.` });
    if (values.length > MAX_COUNTS[name]) throw new Problem(`${name}: there are ${values.length}.`, { todo: `Give at most ${MAX_COUNTS[name]}.` });
  }
}

// Sort the chunks of a recording by name, with 2 before 10. File pickers return them in any order.
export const sortChunks = (files) => [...files].sort((first, second) => ORDER.compare(first.name, second.name));

const ORDER = new Intl.Collator("en", { numeric: true });

// Return true if a meeting has this participant and this tag, ignoring case. An empty filter matches every meeting.
export function matchesFilter(record, { participant = "", tag = "" }) {
  const includes = (wanted, values) => !wanted.trim() || values.some((value) => value.toLowerCase() === wanted.trim().toLowerCase());
  return includes(participant, record.participants ?? []) && includes(tag, record.tags ?? []);
}
