// Generation of ids: ULIDs, which consist of ten characters of time and sixteen random characters.

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

export function ulid(now = Date.now()) {
  let time = "";
  for (let left = now, digit = 0; digit < 10; digit += 1, left = Math.floor(left / 32)) time = ALPHABET[left % 32] + time;
  const random = crypto.getRandomValues(new Uint8Array(16));
  return time + Array.from(random, (byte) => ALPHABET[byte % 32]).join("");
}
