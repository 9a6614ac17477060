// Client of the meetings backend: exchanges a token for AWS credentials, and uses S3 and DynamoDB with them.

import { getObject, putObject, signedUrl } from "./aws.js";
import { ask } from "./http.js";
import { base64, hex, sha256, ulid } from "./ids.js";
import { getItem, query, texts } from "./items.js";
import { Problem } from "./problems.js";
import { left } from "./visitor.js";

const SESSION_NAME = "console";
const MAX_CHUNK = 1024 ** 3; // bytes, because a chunk is hashed in memory
const LIMITS = { title: 200, participants: 100, tags: 50 }; // characters
const MOST = { participants: 100, tags: 50 };
const PAGE = 50;
const WATCH_SECONDS = 3600;
const WHOLE = ["the upload was complete", "Sign in at the top as the user who started it, and upload the files again."];

export class Meetings {
  #stack;
  #visitor;
  #access = null;
  #begun = null; // the upload that runs or was interrupted

  constructor(stack, visitor) {
    this.#stack = stack;
    this.#visitor = visitor;
    visitor.addEventListener("change", () => { this.#access = null; });
  }

  // Return credentials for the visitor's own meetings. They are exchanged again before they expire.
  async access() {
    if (this.#access && Date.now() < Date.parse(this.#access.renewAfter)) return this.#access;
    const { visits } = this.#visitor;
    const body = { token: await this.#visitor.token(), sessionName: SESSION_NAME };
    const given = await ask(`${this.#stack.frontend.meetings.apiUrl}/exchange`, { method: "POST", body });
    if (visits !== this.#visitor.visits) return this.access(); // These credentials belong to the previous visitor.
    const { accessKeyId, secretAccessKey, sessionToken } = given;
    this.#access = { ...given, credentials: { accessKeyId, secretAccessKey, sessionToken } };
    return this.#access;
  }

  // Upload chunks in order, then `complete.json`. Return the meeting's id. S3 rejects a chunk that does not match its hash. If an
  // upload was interrupted and the same visitor chooses the same files, continue after the last chunk that arrived.
  async upload(details, files, onProgress) {
    checked(details);
    const stays = this.#visitor.staying(...WHOLE);
    const { user } = await this.access();
    stays();
    const those = JSON.stringify([user, ...files.map((file) => [file.name, file.size, file.lastModified])]);
    if (this.#begun?.those !== those) this.#begun = { those, meetingId: ulid(), chunks: [] };
    const { meetingId, chunks } = this.#begun;
    for (const [place, file] of files.entries()) {
      if (place < chunks.length) {
        onProgress(place, 1);
        continue;
      }
      if (!file.size || file.size > MAX_CHUNK) {
        throw new Problem(`${file.name} has ${file.size} bytes; this page takes chunks of 1 byte to 1 GiB.`, {
          todo: "Record shorter chunks, or use the Python client (docs/meetings-client.md).",
        });
      }
      const name = `${String(place).padStart(5, "0")}${/\.[A-Za-z0-9]{1,8}$/.exec(file.name)?.[0] ?? ""}`;
      const data = await file.arrayBuffer();
      const hash = await sha256(data);
      await this.#put(user, meetingId, name, data, hash, (share) => onProgress(place, share));
      chunks.push({ name, bytes: file.size, sha256: hex(hash) });
    }
    const complete = new TextEncoder().encode(JSON.stringify({ schemaVersion: 1, ...details, chunks }));
    await this.#put(user, meetingId, "complete.json", complete, await sha256(complete));
    this.#begun = null;
    return meetingId;
  }

  async find(meetingId) {
    const { credentials, tableName, user } = await this.access();
    return getItem(this.#stack, credentials, tableName, { user, meetingId });
  }

  // Return a page of meetings, newest first. `after` is the value from the previous page.
  async newest(after) {
    const { credentials, tableName, user } = await this.access();
    return query(this.#stack, credentials, {
      TableName: tableName,
      IndexName: this.#stack.frontend.meetings.index,
      KeyConditionExpression: "#user = :user",
      ExpressionAttributeNames: { "#user": "user" },
      ExpressionAttributeValues: texts({ ":user": user }),
      ScanIndexForward: false,
      Limit: PAGE,
      ExclusiveStartKey: after,
    });
  }

  // Return a JSON document of a meeting, or null if it does not exist.
  async document(key) {
    if (!key) return null;
    const { credentials, bucketName } = await this.access();
    const answer = await getObject(this.#stack, credentials, bucketName, key);
    return answer && answer.json();
  }

  // Return a URL of the video that is valid for one hour.
  async videoUrl(key) {
    const { credentials, bucketName } = await this.access();
    return signedUrl(this.#stack, "s3", credentials, this.#stack.object(bucketName, key), WATCH_SECONDS);
  }

  // Every object of a recording must belong to one user. A chunk below another user's prefix would be readable for that user.
  async #put(user, meetingId, name, data, hash, onProgress) {
    const { credentials, bucketName, prefixes, ...access } = await this.access();
    if (access.user !== user) throw left(...WHOLE);
    const headers = { "x-amz-checksum-sha256": base64(hash), "x-amz-sdk-checksum-algorithm": "SHA256" };
    await putObject(this.#stack, credentials, bucketName, `${prefixes.raw}${meetingId}/${name}`, data, { headers, onProgress });
  }
}

// Check title, participants and tags before the upload, with the limits that the backend checks after it.
export function checked(details) {
  for (const [name, longest] of Object.entries(LIMITS)) {
    const values = [details[name] ?? []].flat();
    const wrong = values.find((value) => !value.trim() || [...value.trim()].length > longest);
    if (wrong !== undefined) throw new Problem(`${name}: ${wrong.trim() ? `"${wrong}" is too long` : "a value is empty"}.`, { todo: `Give 1 to ${longest} characters.` });
    if (values.length > MOST[name]) throw new Problem(`${name}: there are ${values.length}.`, { todo: `Give at most ${MOST[name]}.` });
  }
}

// Sort the chunks of a recording by name, with 2 before 10. File pickers return them in any order.
export const ordered = (files) => [...files].sort((first, second) => ORDER.compare(first.name, second.name));

const ORDER = new Intl.Collator("en", { numeric: true });

// Return true if a meeting has this participant and this tag, ignoring case. An empty filter matches every meeting.
export function matches(record, { participant = "", tag = "" }) {
  const among = (wanted, those) => !wanted.trim() || those.some((value) => value.toLowerCase() === wanted.trim().toLowerCase());
  return among(participant, record.participants ?? []) && among(tag, record.tags ?? []);
}
