"""Tests of the microphone and of dictations: errors and lost connections.

A dictation sends utterances, which are a few seconds of speech, in one session for each connection. The transcription
service accepts each utterance, sends its captions, and reports that it is done. A dictation sends an utterance that is
not done again, each time as an attempt with a higher number.
"""

from typing import Any

import pytest

from tests.browser import ConsoleWindow
from tests.console.fake_stack import run_script

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]


def test_the_microphone_is_released_if_it_cannot_be_used(window: ConsoleWindow) -> None:
    script = """
    const devices = navigator.mediaDevices;
    const [realGetUserMedia, { addModule }, { close }] = [devices.getUserMedia, AudioWorklet.prototype, AudioContext.prototype];
    let [track, closedContexts] = [null, 0];
    devices.getUserMedia = async (constraints) => {
      const stream = await realGetUserMedia.call(devices, constraints);
      [track] = stream.getTracks();
      return stream;
    };
    AudioWorklet.prototype.addModule = async () => { throw new Error("no module"); };
    AudioContext.prototype.close = function () { closedContexts += 1; return close.call(this); };
    try {
      const error = await module.listen(() => {}).then(() => "no error", (problem) => problem.message);
      return [error, track.readyState, closedContexts];
    } finally {
      devices.getUserMedia = realGetUserMedia;
      Object.assign(AudioWorklet.prototype, { addModule });
      Object.assign(AudioContext.prototype, { close });
    }
    """
    assert run_script(window, "audio-input", script) == ["no module", "ended", 1]


def test_the_incomplete_last_piece_is_delivered_when_the_microphone_stops(window: ConsoleWindow) -> None:
    script = """
    const pieceLength = 2048;
    const lastLengths = [];
    for (let tries = 0; tries < 4; tries += 1) {
      const lengths = [];
      const microphone = await module.listen((samples, rate) => lengths.push(rate > 0 ? samples.length : 0));
      while (!lengths.length) await new Promise((resolve) => setTimeout(resolve, 10));
      await microphone.stop();
      lastLengths.push(lengths.at(-1) % pieceLength);
      if (lengths.slice(0, -1).some((length) => length !== pieceLength)) throw new Error("an incomplete piece before the end");
    }
    return lastLengths;
    """
    assert any(run_script(window, "audio-input", script)), "not every recording ends with a complete piece"


FAKE_SERVICE = """
const { Problem } = await import("/lib/problems.js");
const [realSetTimeout, realSetInterval] = [globalThis.setTimeout, globalThis.setInterval];
globalThis.setTimeout = (callback, ms, ...args) => realSetTimeout(callback, ms / 100, ...args);
let intervalSpeed = 1; // Intervals find utterances without a message, which most tests do not want.
globalThis.setInterval = (callback, ms, ...args) => realSetInterval(callback, ms / intervalSpeed, ...args);
const errors = [];
const requests = []; // all requests, with the number of their connection
const deliver = []; // one function for each connection, which delivers a message of the service
const sockets = []; // one for each connection
async function waitFor(description, isTrue) {
  for (let tries = 0; !isTrue() && tries < 500; tries += 1) await new Promise((resolve) => realSetTimeout(resolve, 10));
  if (!isTrue()) throw new Error(`timed out: ${description}, ${JSON.stringify({ errors, requests })}`);
}
// Return a fake function `connect` for a dictation. `responses` may have a function for each action, which returns the response or throws.
function fakeConnect(responses) {
  return async (onMessage, onClose) => {
    const number = deliver.push(onMessage);
    const request = async (action, content) => {
      requests.push({ action, number, ...content });
      if (action === "open") return { inFlight: 2, ...responses.open?.(number, content) };
      return responses[action]?.(content) ?? {};
    };
    const socket = { isOpen: true, keepAlive() {}, request, close() { this.isOpen = false; onClose(); } };
    sockets.push(socket);
    return socket;
  };
}
let overCount = 0; // calls of `onOver`
const createDictation = (connect) => new module.Dictation({
  connect, speechSettings: {}, inFlight: 2, pingSeconds: 60,
  onChange() {}, onFailure: (problem) => errors.push(problem.message), onOver() { overCount += 1; },
});
const requestsOf = (action) => requests.filter((request) => request.action === action);
const sentAttempts = () => requestsOf("audio").map((request) => [request.number, request.utterance, request.attempt]);
const deliverDone = (utterance) => deliver[0]({ type: "done", utterance, attempt: 1 });
function addUtterances(dictation, count) {
  for (let number = 1; number <= count; number += 1) dictation.addUtterance(new Uint8Array(1));
}
// Open a session with this number of utterances, of which two are sent and not done.
async function openWithUtterances(count, responses) {
  const dictation = createDictation(fakeConnect(responses));
  await dictation.open();
  addUtterances(dictation, count);
  await waitFor("two utterances are sent", () => requestsOf("audio").length === 2);
  return dictation;
}
try {
  %s
} finally {
  [globalThis.setTimeout, globalThis.setInterval] = [realSetTimeout, realSetInterval];
}
"""
"""Fake transcription service for a script, which replaces `%s`. Its timeouts are a hundred times shorter."""


def run_dictation(window: ConsoleWindow, script: str) -> Any:
    return run_script(window, "dictation", FAKE_SERVICE % script)


def test_after_a_reconnection_every_utterance_without_an_end_is_sent_again(window: ConsoleWindow) -> None:
    """Their captions may have been lost with the broken connection."""
    script = """
    const dictation = await openWithUtterances(4, {});
    deliverDone("u1");
    await waitFor("a third utterance is sent", () => requestsOf("audio").length === 3);
    sockets[0].close();
    await waitFor("both utterances are sent again", () => requestsOf("audio").length === 5);
    await dictation.end();
    return [requestsOf("open").map((request) => request.number), sentAttempts()];
    """
    sessions, attempts = run_dictation(window, script)
    assert sessions == [1, 2]
    assert attempts == [[1, "u1", 1], [1, "u2", 1], [1, "u3", 1], [2, "u2", 2], [2, "u3", 2]]


def test_a_failed_attempt_is_followed_by_another_unless_the_utterance_is_given_up(window: ConsoleWindow) -> None:
    script = """
    const dictation = createDictation(fakeConnect({}));
    await dictation.open();
    dictation.addUtterance(new Uint8Array(9));
    await waitFor("the utterance is sent", () => requestsOf("audio").length === 1);
    const fail = (attempt, retryable) => deliver[0]({ type: "failed", utterance: "u1", attempt, retryable, message: "not now" });
    fail(1, true);
    await waitFor("the utterance is sent again", () => requestsOf("audio").length === 2);
    fail(1, true); // too late, so it is ignored
    fail(2, false);
    await dictation.finish();
    return [errors, new Set(requestsOf("audio").map((request) => request.audio)).size, sentAttempts(), dictation.counts.failed];
    """
    errors, different_audio_count, attempts, failed_count = run_dictation(window, script)
    assert attempts == [[1, "u1", 1], [1, "u1", 2]]
    assert (errors, different_audio_count, failed_count) == (["not now."], 1, 1)


def test_an_utterance_without_a_message_is_sent_again_a_few_times(window: ConsoleWindow) -> None:
    script = """
    intervalSpeed = 100;
    const dictation = createDictation(fakeConnect({ audio: ({ utterance, attempt }) => ({ utterance, attempt, done: utterance === "u1" && attempt === 3 }) }));
    await dictation.open();
    addUtterances(dictation, 2);
    await waitFor("both utterances have ended", () => !dictation.isBusy);
    await dictation.end();
    return [dictation.counts, errors.length, Math.max(...requestsOf("audio").filter((request) => request.utterance === "u2").map((request) => request.attempt))];
    """
    counts, error_count, attempts = run_dictation(window, script)
    assert counts == {"waiting": 0, "sent": 0, "done": 1, "failed": 1}
    assert (error_count, attempts) == (1, 5)


def test_an_utterance_whose_earlier_attempt_is_in_progress_waits_while_others_are_sent(window: ConsoleWindow) -> None:
    script = """
    let refusalsLeft = 7;
    const refuse = ({ utterance }) => { if (utterance === "u1" && refusalsLeft-- > 0) throw new Problem("busy", { code: "BUSY" }); return {}; };
    const dictation = createDictation(fakeConnect({ audio: refuse }));
    await dictation.open();
    addUtterances(dictation, 2);
    await waitFor("both utterances are accepted", () => requestsOf("audio").length === 9);
    await dictation.end();
    return [errors, sentAttempts().slice(0, 2), sentAttempts().at(-1)];
    """
    errors, first_attempts, last_attempt = run_dictation(window, script)
    assert first_attempts == [[1, "u1", 1], [1, "u2", 1]]
    assert (errors, last_attempt) == ([], [1, "u1", 8])


def test_a_connection_without_responses_is_replaced(window: ConsoleWindow) -> None:
    """A browser may need minutes to notice that a connection is dead, and to close it."""
    script = """
    const { Socket } = await import("/lib/socket.js");
    const responses = { open: { type: "opened", inFlight: 2 }, audio: { type: "accepted" }, ping: { type: "pong" } };
    const connect = async (onMessage, onClose) => {
      const number = deliver.push(onMessage);
      const listeners = {};
      return new Socket({
        readyState: WebSocket.OPEN,
        addEventListener(type, listener) { listeners[type] = listener; },
        close() { this.readyState = WebSocket.CLOSING; }, // The close event never comes.
        send(text) {
          const { id, action, ...content } = JSON.parse(text);
          requests.push({ action, number, ...content });
          if (number === 1 && action === "audio") return;
          realSetTimeout(() => listeners.message({ data: JSON.stringify({ id, ...responses[action] }) }), 1);
        },
      }, { onMessage, onClose });
    };
    const dictation = createDictation(connect);
    await dictation.open();
    dictation.addUtterance(new Uint8Array(1));
    await waitFor("the session is opened again", () => requestsOf("open").length === 2);
    await waitFor("the utterance is sent again", () => requestsOf("audio").length === 2);
    await dictation.end();
    const opened = requestsOf("open").map((request) => request.number);
    return [opened, sentAttempts(), dictation.counts.failed];
    """
    opened, attempts, failed_count = run_dictation(window, script)
    assert opened == [1, 2]
    assert (attempts, failed_count) == ([[1, "u1", 1], [2, "u1", 2]], 0)


def test_an_utterance_without_a_free_stream_waits_while_others_are_sent(window: ConsoleWindow) -> None:
    """If the service has no free stream for an utterance, `failed` contains `waitMs`. The utterance waits for one to two
    times `waitMs`, even if a second message without `waitMs` arrives during this time.
    """
    script = """
    const dictation = await openWithUtterances(3, {});
    const [random, setTimeoutBefore] = [Math.random, globalThis.setTimeout];
    const timers = [];
    Math.random = () => 0.5;
    globalThis.setTimeout = (callback, ms) => { timers.push([ms, callback]); };
    const fail = (fields) => deliver[0]({ type: "failed", utterance: "u1", attempt: 1, retryable: true, ...fields });
    try {
      fail({ waitMs: 3000 });
      fail({});
      const sentMeanwhile = requestsOf("audio").map((request) => request.utterance);
      timers.find(([ms]) => ms === 4500)[1](); // 1.5 times `waitMs`, because the random number is 0.5
      deliverDone("u2");
      await waitFor("the utterance is sent again", () => requestsOf("audio").length === 4);
      return [sentMeanwhile, requestsOf("audio").at(-1).utterance];
    } finally {
      [Math.random, globalThis.setTimeout] = [random, setTimeoutBefore];
      await dictation.end();
    }
    """
    sent_meanwhile, sent_last = run_dictation(window, script)
    assert (sent_meanwhile, sent_last) == (["u1", "u2", "u3"], "u1")


def test_utterances_fail_with_one_error_if_reconnection_fails(window: ConsoleWindow) -> None:
    script = """
    const connect = fakeConnect({});
    let connections = 0;
    const dictation = createDictation(async (...handlers) => {
      connections += 1;
      if (connections > 1) throw new Problem("no connection");
      return connect(...handlers);
    });
    await dictation.open();
    addUtterances(dictation, 2);
    sockets[0].close();
    await waitFor("the dictation is over", () => dictation.isOver);
    dictation.addUtterance(new Uint8Array(1));
    await dictation.finish();
    return [errors, overCount, connections, dictation.counts];
    """
    errors, over_count, connections, counts = run_dictation(window, script)
    assert (errors, over_count) == (["no connection"], 1)
    assert connections == 6, "the first connection and five attempts to reconnect"
    assert counts == {"waiting": 0, "sent": 0, "done": 0, "failed": 3}


def test_a_dictation_that_ends_during_reconnection_closes_all_connections(window: ConsoleWindow) -> None:
    script = """
    const dictation = createDictation(fakeConnect({ open: (number) => { if (number === 2) void dictation.end(); return {}; } }));
    await dictation.open();
    sockets[0].close();
    await waitFor("the second connection is closed", () => sockets[1]?.isOpen === false);
    return sockets.map((socket) => socket.isOpen);
    """
    assert run_dictation(window, script) == [False, False]
