"""Speaking goes wrong: no microphone stays open, and what was said for nothing is told. In a browser with a played microphone."""

import pytest

from tests.browser import Visit
from tests.console.javascript_modules import run

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


PLAYED = """
const { Problem } = await import("/lib/problems.js");
const [slow, interval] = [globalThis.setTimeout, globalThis.setInterval];
globalThis.setTimeout = (act, ms, ...more) => slow(act, ms / 100, ...more);
globalThis.setInterval = (act, ms, ...more) => interval(act, ms / 100, ...more);
const [told, sent, heard, broken, sockets] = [[], [], [], [], []];
async function until(what, holds) {
  for (let one = 0; !holds() && one < 500; one += 1) await new Promise((resolve) => slow(resolve, 10));
  if (!holds()) throw new Error(`not in time: ${what}, ${JSON.stringify({ told, sent })}`);
}
// A platform: `answers` has what it says to an action's message, or how it fails; `sent` has every message.
function platform(answers) {
  return async (onMessage, onClose) => {
    const number = heard.push(onMessage);
    const ask = async (action, content) => {
      sent.push({ action, number, ...content });
      return action === "open" ? { sessionId: "s", inFlight: 2, ...answers.open?.(number, content) } : answers[action]?.(content) ?? {};
    };
    const socket = { isOpen: true, keepAlive() {}, ask, close() { this.isOpen = false; onClose(); } };
    sockets.push(socket);
    broken.push(() => socket.close());
    return socket;
  };
}
let overs = 0;
const speaking = (connect) => new it.Dictation({
  connect, spoken: {}, inFlight: 2, pingSeconds: 60, changed() {}, failed: (problem) => told.push(problem.message), over() { overs += 1; },
});
const of = (action) => sent.filter((one) => one.action === action);
// A session in which so many utterances are said, and two of them are on their way.
async function said(count, answers) {
  const dictation = speaking(platform(answers));
  await dictation.open();
  for (let one = 1; one <= count; one += 1) dictation.say(new Uint8Array(1));
  await until("two are sent", () => of("audio").length === 2);
  return dictation;
}
try {
  %s
} finally {
  [globalThis.setTimeout, globalThis.setInterval] = [slow, interval];
}
"""
"""A session whose platform is played, in a world that is a hundred times as fast."""


UNHEARD = """
  const again = [{ utterance: "u2", fromMs: 0 }];
  const dictation = await said(4, { open: (number) => (number > 1 ? { resend: again } : {}) });
  heard[0]({ type: "done", utterance: "u1", sessionId: "s" });
  await until("a third is sent", () => of("audio").length === 3);
  broken[0]();
  await until("one is sent again", () => of("audio").some((one) => one.number === 2));
  await dictation.end();
  return [of("open").map((one) => one.unfinished ?? null), of("audio").map((one) => [one.number, one.utterance])];
"""


def test_a_session_that_goes_on_names_what_it_has_heard_no_end_of(page: Visit) -> None:
    """Their words may have gone to the connection that broke, and the platform counts them as said."""
    opened, sent = run(page, "dictation", PLAYED % UNHEARD)
    assert opened == [None, ["u2", "u3", "u4"]]
    assert sent == [[1, "u1"], [1, "u2"], [1, "u3"], [2, "u2"]]


REVIVED = """
  let refusals = 5;
  const refused = () => { if (refusals-- > 0) throw new Problem("not now", { code: "UNAVAILABLE" }); };
  const dictation = speaking(platform({ audio: refused }));
  await dictation.open();
  dictation.say(new Uint8Array(9));
  await until("it is given up", () => dictation.counts.failed === 1);
  heard[0]({ type: "resend", sessionId: "s", utterances: [{ utterance: "u1", fromMs: 0 }] });
  await until("it is sent again", () => of("audio").length === 6);
  heard[0]({ type: "done", utterance: "u1", sessionId: "s" });
  await dictation.end();
  return [told, new Set(of("audio").map((one) => one.audio)).size, dictation.counts.done];
"""


def test_an_utterance_that_was_given_up_here_is_sent_whole_where_the_platform_asks_for_it(page: Visit) -> None:
    assert run(page, "dictation", PLAYED % REVIVED) == [["not now"], 1, 1]


DEAD = """
  const { Socket } = await import("/lib/socket.js");
  const answers = { open: { type: "opened", sessionId: "s", inFlight: 2 }, audio: { type: "accepted" }, ping: { type: "pong" } };
  const connect = async (onMessage, onClose) => {
    const number = heard.push(onMessage);
    const listeners = {};
    return new Socket({
      readyState: WebSocket.OPEN,
      addEventListener(what, act) { listeners[what] = act; },
      close() { this.readyState = WebSocket.CLOSING; }, // and nobody says good-bye
      send(text) {
        const { id, action, ...content } = JSON.parse(text);
        sent.push({ action, number, ...content });
        if (number === 1 && action === given) return;
        slow(() => listeners.message({ data: JSON.stringify({ id, ...answers[action] }) }), 1);
      },
    }, { onMessage, onClose });
  };
  const dictation = speaking(connect);
  await dictation.open();
  dictation.say(new Uint8Array(1));
  await until("it is opened again", () => of("open").length === 2);
  if (given === "audio") await until("it is sent again", () => of("audio").length === 2);
  await dictation.end();
  const opened = of("open").map((one) => [one.number, one.sessionId ?? "", one.unfinished ?? []]);
  return [opened, of("audio").map((one) => one.number), dictation.counts.failed];
"""


@pytest.mark.parametrize(("silent", "sent"), [("audio", [1, 2]), ("ping", [1])])
def test_a_connection_that_is_dead_but_not_closed_is_replaced(page: Visit, silent: str, sent: list[int]) -> None:
    """Whatever goes into it has no answer; a browser may take minutes to notice, and to close it."""
    opened, audio, failed = run(page, "dictation", PLAYED % DEAD, silent)
    assert opened == [[1, "", []], [2, "s", ["u1"]]]
    assert (audio, failed) == (sent, 0)


GIVEN_UP = """
  const dictation = await said(2, { open: (number) => (number > 1 ? { done: ["u1", "u2"], failed: ["u1"] } : {}) });
  broken[0]();
  await until("their ends are told", () => !dictation.isBusy);
  await dictation.end();
  return dictation.counts;
"""


def test_what_the_platform_gave_up_does_not_count_as_said(page: Visit) -> None:
    assert run(page, "dictation", PLAYED % GIVEN_UP) == {"waiting": 0, "sent": 0, "done": 1, "failed": 1}


RESTING = """
  const dictation = await said(3, {});
  const [random, after] = [Math.random, globalThis.setTimeout];
  const waits = [];
  Math.random = () => 0.5;
  globalThis.setTimeout = (act, ms, ...more) => { waits.push([ms, act]); };
  const lost = (more) => heard[0]({ type: "resend", sessionId: "s", utterances: [{ utterance: "u1", fromMs: 0, ...more }] });
  try {
    lost({ waitMs: 3000 });
    lost({});
    const others = of("audio").map((one) => one.utterance);
    waits.find(([ms]) => ms === 4500)[1]();
    heard[0]({ type: "done", utterance: "u2", sessionId: "s" });
    await until("it is sent again", () => of("audio").length === 4);
    return [others, of("audio").at(-1).utterance];
  } finally {
    [Math.random, globalThis.setTimeout] = [random, after];
    await dictation.end();
  }
"""


def test_an_utterance_for_which_there_is_no_stream_waits_and_lets_others_go_first(page: Visit) -> None:
    """As long as it is told to and up to twice as long, whatever else asks for it meanwhile."""
    assert run(page, "dictation", PLAYED % RESTING) == [["u1", "u2", "u3"], "u1"]


RENEWED = """
  const over = () => { throw new Problem("over", { code: given.code }); };
  let closed = false;
  const open = (number, { sessionId }) => (sessionId ? over() : { sessionId: `s${of("open").length}` });
  const dictation = speaking(platform({ open, audio: ({ sessionId }) => (closed && sessionId === "s1" ? over() : {}) }));
  const caption = (sessionId, text) => heard[0]({ type: "caption", utterance: "u2", sequence: 2, resultId: sessionId, startMs: 0, endMs: 9, final: true, sessionId, text });
  await dictation.open();
  for (let one = 1; one <= 2; one += 1) dictation.say(new Uint8Array(1));
  await until("two are sent", () => of("audio").length === 2);
  closed = true;
  heard[0]({ type: "done", utterance: "u1", sessionId: "s1" });
  caption("s1", "first");
  %s
  await dictation.end();
  return { opened: of("open").map((one) => [one.number, one.sessionId ?? ""]), said: of("audio").map((one) => `${one.sessionId} ${one.utterance}`),
           lines: dictation.captions.lines.map((one) => one.text), counts: dictation.counts, told };
"""
CODES = pytest.mark.parametrize("code", ["SESSION_CLOSED", "SESSION_UNKNOWN"])


@CODES
def test_what_is_said_after_a_session_ended_goes_into_another_and_its_last_words_still_come(
    page: Visit, code: str
) -> None:
    late = """
    dictation.say(new Uint8Array(1));
    await until("it is taken", () => of("audio").length === 4);
    caption("s1", "last");
    heard[0]({ type: "done", utterance: "u2", sessionId: "s1" });
    heard[0]({ type: "done", utterance: "u3", sessionId: "s2" });
    """
    found = run(page, "dictation", PLAYED % (RENEWED % late), {"code": code})
    assert found["opened"] == [[1, ""], [1, ""]]
    assert found["said"] == ["s1 u1", "s1 u2", "s1 u3", "s2 u3"]
    assert found["lines"] == ["last"]
    assert found["counts"] == {"waiting": 0, "sent": 0, "done": 3, "failed": 0}
    assert found["told"] == []


def test_what_has_no_end_in_a_session_that_is_over_is_said_again_in_another(page: Visit) -> None:
    """From its beginning: of what the first one said of it nothing stays, nor comes after."""
    lost = """
    dictation.say(new Uint8Array(1));
    await until("it is said again", () => of("audio").length === 5);
    caption("s1", "late");
    heard[0]({ type: "done", utterance: "u2", sessionId: "s1" });
    caption("s2", "again");
    """
    found = run(page, "dictation", PLAYED % (RENEWED % lost), {"code": "SESSION_CLOSED"})
    assert found["said"] == ["s1 u1", "s1 u2", "s1 u3", "s2 u3", "s2 u2"]
    assert found["lines"] == ["again"]
    assert found["counts"] == {"waiting": 0, "sent": 2, "done": 1, "failed": 0}


@CODES
def test_a_session_that_ended_while_its_connection_was_broken_is_replaced(page: Visit, code: str) -> None:
    broke = """
    broken[0]();
    dictation.say(new Uint8Array(1));
    await until("all is said again", () => of("audio").length === 4);
    """
    found = run(page, "dictation", PLAYED % (RENEWED % broke), {"code": code})
    assert found["opened"] == [[1, ""], [2, "s1"], [2, ""]]
    assert found["said"] == ["s1 u1", "s1 u2", "s3 u2", "s3 u3"]
    assert found["lines"] == []


FRUITLESS = """
  const over = () => { throw new Problem("over", { code: "SESSION_CLOSED" }); };
  const dictation = speaking(platform({ open: () => ({ sessionId: `s${of("open").length}` }), audio: over }));
  await dictation.open();
  dictation.say(new Uint8Array(1));
  await until("it is given up", () => dictation.isOver);
  return [of("open").length, dictation.counts.failed, told, sockets.map((one) => one.isOpen)];
"""


def test_sessions_that_take_nothing_are_not_opened_for_ever(page: Visit) -> None:
    assert run(page, "dictation", PLAYED % FRUITLESS) == [6, 1, ["over"], [False]]


LOST = """
  const connect = platform({});
  let connections = 0;
  const dictation = speaking(async (...hears) => {
    connections += 1;
    if (connections > 1) throw new Problem("nobody there");
    return connect(...hears);
  });
  await dictation.open();
  for (let one = 1; one <= 2; one += 1) dictation.say(new Uint8Array(1));
  broken[0]();
  await until("it is over", () => dictation.isOver);
  dictation.say(new Uint8Array(1));
  await dictation.finish();
  return [told, overs, connections, dictation.counts];
"""


def test_what_was_said_is_lost_once_no_connection_comes_back_and_that_is_told(page: Visit) -> None:
    told, overs, connections, counts = run(page, "dictation", PLAYED % LOST)
    assert (told, overs) == (["nobody there"], 1)
    assert connections == 6, "the first one, and five tries to have it back"
    assert counts == {"waiting": 0, "sent": 0, "done": 0, "failed": 3}


ENDED = """
  const dictation = speaking(platform({ open: (number) => { if (number === 2) void dictation.end(); return {}; } }));
  await dictation.open();
  broken[0]();
  await until("the session is ended over the second connection", () => of("close").some((one) => one.number === 2));
  return sockets.map((one) => one.isOpen);
"""


def test_a_session_that_ends_while_it_is_reconnecting_leaves_no_connection_behind(page: Visit) -> None:
    assert run(page, "dictation", PLAYED % ENDED) == [False, False]
