// The meetings backend, as `clients/meetings` uses it: a token for credentials, and with those AWS itself.

import { getObject, putObject, signedUrl } from "./aws.js";
import { ask } from "./http.js";
import { base64, hex, sha256, ulid } from "./ids.js";
import { getItem, query, texts } from "./items.js";
import { Problem } from "./problems.js";
import { left } from "./visitor.js";

const SESSION_NAME = "console";
const MAX_CHUNK = 1024 ** 3; // bytes: its hash is made of all of it at once
const LIMITS = { title: 200, participants: 100, tags: 50 }; // characters
const MOST = { participants: 100, tags: 50 };
const PAGE = 50;
const WATCH_SECONDS = 3600;
const WHOLE = ["the recording was whole", "Whoever recorded it signs in at the top and uploads the files again."];

export class Meetings {
  #stack;
  #visitor;
  #access = null;
  #begun = null; // the upload that is under way, or that broke off

  constructor(stack, visitor) {
    this.#stack = stack;
    this.#visitor = visitor;
    visitor.addEventListener("change", () => { this.#access = null; });
  }

  // Credentials to the visitor's own meetings, exchanged anew before they end.
  async access() {
    if (this.#access && Date.now() < Date.parse(this.#access.renewAfter)) return this.#access;
    const { visits } = this.#visitor;
    const body = { token: await this.#visitor.token(), sessionName: SESSION_NAME };
    const given = await ask(`${this.#stack.frontend.meetings.apiUrl}/exchange`, { method: "POST", body });
    if (visits !== this.#visitor.visits) return this.access(); // what was given is to whoever was here before
    const { accessKeyId, secretAccessKey, sessionToken } = given;
    this.#access = { ...given, credentials: { accessKeyId, secretAccessKey, sessionToken } };
    return this.#access;
  }

  // Uploads chunks in their order, then says that the recording is whole; gives the meeting's id. S3 refuses what has another
  // hash than promised. Of an upload that broke off, the same files of the same visitor go on after the last chunk that arrived.
  async upload(said, files, onProgress) {
    checked(said);
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
    const complete = new TextEncoder().encode(JSON.stringify({ schemaVersion: 1, ...said, chunks }));
    await this.#put(user, meetingId, "complete.json", complete, await sha256(complete));
    this.#begun = null;
    return meetingId;
  }

  async find(meetingId) {
    const { credentials, tableName, user } = await this.access();
    return getItem(this.#stack, credentials, tableName, { user, meetingId });
  }

  // A page of meetings, newest first; `after` is of the page before.
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

  // A document that was made of a meeting; none where there is none.
  async document(key) {
    if (!key) return null;
    const { credentials, bucketName } = await this.access();
    const answer = await getObject(this.#stack, credentials, bucketName, key);
    return answer && answer.json();
  }

  // Where a player finds the video, for an hour at the most.
  async videoUrl(key) {
    const { credentials, bucketName } = await this.access();
    return signedUrl(this.#stack, "s3", credentials, this.#stack.object(bucketName, key), WATCH_SECONDS);
  }

  // All of a recording is one user's: a chunk below somebody else's prefix would be his to hear.
  async #put(user, meetingId, name, data, hash, onProgress) {
    const { credentials, bucketName, prefixes, ...access } = await this.access();
    if (access.user !== user) throw left(...WHOLE);
    const headers = { "x-amz-checksum-sha256": base64(hash), "x-amz-sdk-checksum-algorithm": "SHA256" };
    await putObject(this.#stack, credentials, bucketName, `${prefixes.raw}${meetingId}/${name}`, data, { headers, onProgress });
  }
}

// Refuses before anything is uploaded what would be refused when all of it is.
export function checked(said) {
  for (const [name, longest] of Object.entries(LIMITS)) {
    const given = [said[name] ?? []].flat();
    const wrong = given.find((one) => !one.trim() || [...one.trim()].length > longest);
    if (wrong !== undefined) throw new Problem(`${name}: ${wrong.trim() ? `"${wrong}" is too long` : "there is none"}.`, { todo: `Give 1 to ${longest} characters.` });
    if (given.length > MOST[name]) throw new Problem(`${name}: there are ${given.length}.`, { todo: `Give ${MOST[name]} at the most.` });
  }
}

// The chunks of a recording in their order, which is that of their names: 2 before 10. Pickers have orders of their own.
export const ordered = (files) => [...files].sort((one, other) => ORDER.compare(one.name, other.name));

const ORDER = new Intl.Collator("en", { numeric: true });

// Whether a meeting has this participant and this tag, in whatever case; empty asks for nothing.
export function matches(record, { participant = "", tag = "" }) {
  const among = (wanted, those) => !wanted.trim() || those.some((one) => one.toLowerCase() === wanted.trim().toLowerCase());
  return among(participant, record.participants ?? []) && among(tag, record.tags ?? []);
}
