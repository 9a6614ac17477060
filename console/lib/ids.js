// Generation of ids: ULIDs, which sort by the time of their creation.

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

// Return a ULID: ten characters of time, then sixteen random characters.
export function ulid(now = Date.now()) {
  let time = "";
  for (let left = now, digit = 0; digit < 10; digit += 1, left = Math.floor(left / 32)) time = ALPHABET[left % 32] + time;
  const random = crypto.getRandomValues(new Uint8Array(16));
  return time + Array.from(random, (byte) => ALPHABET[byte % 32]).join("");
}
