// Generation of ids (ULIDs), conversion of bytes to and from text, and SHA-256 hashes.

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

// Return a ULID: ten characters of time, then sixteen random characters.
export function ulid(now = Date.now()) {
  let time = "";
  for (let left = now, digit = 0; digit < 10; digit += 1, left = Math.floor(left / 32)) time = ALPHABET[left % 32] + time;
  const random = crypto.getRandomValues(new Uint8Array(16));
  return time + Array.from(random, (byte) => ALPHABET[byte % 32]).join("");
}

export function toBase64(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; start += 0x8000) text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  return btoa(text);
}

export const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export const sha256 = async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", data));
