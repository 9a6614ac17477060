"""Speaking goes wrong: no microphone stays open, and what was said for nothing is told. In a browser with a played microphone."""

from typing import Any

import pytest

from tests.browser import Visit
from tests.console.modules import run

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]

REFUSED = """
const devices = navigator.mediaDevices;
const known = [devices.getUserMedia, globalThis.MediaRecorder, AudioWorklet.prototype.addModule, AudioContext.prototype.close];
let [track, contexts] = [null, 0];
devices.getUserMedia = async (asked) => {
  const stream = await known[0].call(devices, asked);
  [track] = stream.getTracks();
  return stream;
};
globalThis.MediaRecorder = class { static isTypeSupported() { return false; } constructor() { throw new Error("no recorder"); } };
AudioWorklet.prototype.addModule = async () => { throw new Error("no module"); };
AudioContext.prototype.close = function () { contexts += 1; return known[3].call(this); };
try {
  const told = await it[given](() => {}).then(() => "it works", (problem) => problem.message);
  return [told, track.readyState, contexts];
} finally {
  [devices.getUserMedia, globalThis.MediaRecorder, AudioWorklet.prototype.addModule, AudioContext.prototype.close] = known;
}
"""


@pytest.mark.parametrize(("how", "why", "contexts"), [("listen", "no module", 1), ("record", "no recorder", 0)])
def test_a_microphone_of_which_nothing_comes_is_let_go(page: Visit, how: str, why: str, contexts: int) -> None:
    assert run(page, "microphone", REFUSED, how) == [why, "ended", contexts]


BROKEN = """
const { Problem } = await import("/lib/problems.js");
const slow = globalThis.setTimeout;
globalThis.setTimeout = (act, ms, ...more) => slow(act, ms / 100, ...more);
const told = [];
let connections = 0;
let breaks;
let wake;
const over = new Promise((resolve) => { wake = resolve; });
async function connect(onMessage, onClose) {
  connections += 1;
  if (connections > 1) throw new Problem("nobody there");
  const socket = { isOpen: true, keepAlive() {}, close() {}, ask: async (what) => (what === "open" ? { sessionId: "s", inFlight: 1 } : {}) };
  breaks = () => { socket.isOpen = false; onClose(); };
  return socket;
}
try {
  const dictation = new it.Dictation({
    connect, spoken: {}, inFlight: 1, pingSeconds: 60, changed() {}, failed: (problem) => told.push(problem.message),
    over: () => { told.push("over"); wake(); },
  });
  await dictation.open();
  dictation.say(new Uint8Array(1));
  dictation.say(new Uint8Array(1));
  breaks();
  await Promise.race([over, new Promise((resolve) => slow(resolve, 3000))]);
  dictation.say(new Uint8Array(1));
  await dictation.finish();
  return { told, connections, counts: dictation.counts, over: dictation.isOver };
} finally {
  globalThis.setTimeout = slow;
}
"""


def test_what_was_said_is_lost_once_no_connection_comes_back_and_that_is_told(page: Visit) -> None:
    found: dict[str, Any] = run(page, "dictation", BROKEN)
    assert found["told"] == ["nobody there", "over"]
    assert found["connections"] == 6, "the first one, and five tries to have it back"
    assert found["counts"] == {"waiting": 0, "sent": 0, "done": 0, "failed": 3}
    assert found["over"]
