"""The router's handshakes, messages and answers, with moto's tables."""

import json
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from handlers.common.identity.user_ids import user_id
from handlers.transcription.live_table import session_slots_key
from handlers.transcription.messages import ProcessorEvent
from handlers.transcription.router.client_message_handler import DIRECT_WITHIN_MS, MAX_START_MS
from handlers.transcription.router.lost_utterance_sweep import SweepFailed
from handlers.transcription.router.session_quota import DETACHED_MS, IDLE_MS
from handlers.transcription.utterance_slots import SessionSlots
from tests.handlers.transcription.router_setup import LIMITS, LIVE, SESSIONS, Scene, silence

ANN = user_id("none", "ann")
"""User id of a client that connects as `user.ann`."""


def test_a_handshake_is_answered_with_the_protocol_and_never_with_the_token(scene: Scene) -> None:
    answer = scene.connect("c1", "polyphony.transcription.v1", "bearer.secret")
    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "polyphony.transcription.v1"}}


def test_a_refused_handshake_states_the_reason(scene: Scene) -> None:
    answer = scene.connect("c1", "something.else")
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["code"] == "MALFORMED_MESSAGE"
    assert scene.says("open")["code"] == "UNAUTHENTICATED", "the connection is not stored"


def test_an_utterance_of_an_open_session_is_passed_to_the_processor(scene: Scene) -> None:
    session = scene.opens()
    answer = scene.utters(session)
    assert answer == {
        "id": "m1",
        "type": "accepted",
        "sessionId": session,
        "utterance": "u1",
        "repeated": False,
        "done": False,
        "failed": False,
        "resend": [],
    }
    [work] = scene.handed
    assert (work.session_id, work.utterance, work.attempt, work.from_ms, work.attempts) == (session, "u1", 1, 0, 1)
    assert work.audio == silence(1)
    assert scene.utters(session)["repeated"]
    assert scene.handed == [work], "a repeated message is passed on once"


def test_an_opened_session_states_its_end(scene: Scene) -> None:
    scene.connect()
    answer = scene.says("open")
    assert answer["expiresAt"] == "2025-10-09T09:53:20.000Z"
    assert answer["inFlight"] == LIMITS.in_flight


@pytest.mark.parametrize("action", ["audio", "close", "ping", "open"])
def test_another_users_session_gives_the_same_error_as_an_unknown_session(scene: Scene, action: str) -> None:
    session = scene.opens()
    scene.connect("c2", "polyphony.transcription.v1", "user.bob")
    content = {"utterance": "u1", "sequence": 1, "audio": silence(1)}
    foreign = scene.says(action, "c2", sessionId=session, **content)
    never = scene.says(action, "c2", sessionId="0" * 26, **content)
    assert foreign["code"] == "SESSION_UNKNOWN"
    assert foreign == never
    assert scene.handed == []


def test_a_closed_session_accepts_nothing(scene: Scene) -> None:
    session = scene.opens()
    assert scene.says("close", sessionId=session)["type"] == "closed"
    assert scene.says("close", sessionId=session)["type"] == "closed", "closing again changes nothing"
    assert scene.utters(session)["code"] == "SESSION_CLOSED"
    other = scene.opens()
    scene.clock.now_ms += LIMITS.session_seconds * 1000
    assert scene.utters(other)["code"] == "SESSION_CLOSED", "the session has expired"


def test_closing_a_session_makes_room_for_another_one(scene: Scene) -> None:
    first, _ = scene.opens(), scene.opens()
    assert scene.says("open")["code"] == "TOO_MANY_SESSIONS"
    scene.says("close", sessionId=first)
    assert scene.says("open")["type"] == "opened"
    assert scene.says("open")["code"] == "TOO_MANY_SESSIONS"
    scene.clock.now_ms += LIMITS.session_seconds * 1000
    assert scene.says("open")["type"] == "opened", "ended sessions do not count"


def test_a_session_of_a_closed_connection_soon_stops_counting(scene: Scene) -> None:
    for number in range(LIMITS.sessions_per_user):
        scene.opens(f"c{number}")
        scene.disconnect(f"c{number}")
    scene.connect("c9")
    assert scene.says("open", "c9")["code"] == "TOO_MANY_SESSIONS"
    scene.clock.now_ms += DETACHED_MS
    assert scene.says("open", "c9")["type"] == "opened", "a client that reloads its page repeatedly can still connect"


def test_a_session_that_moved_to_another_connection_still_counts(scene: Scene) -> None:
    first = scene.opens("c1")
    scene.connect("c2")
    scene.says("open", "c2", sessionId=first)
    scene.disconnect("c1")
    scene.clock.now_ms += DETACHED_MS
    scene.says("open", "c2")
    assert scene.says("open", "c2")["code"] == "TOO_MANY_SESSIONS"


def test_the_sweep_reports_an_unstarted_utterance_once(scene: Scene) -> None:
    session = scene.opens()
    scene.utters(session, "u1")
    assert scene.sweeps() == 0
    scene.clock.now_ms += MAX_START_MS
    assert scene.sweeps() == 1
    [told] = scene.clients.of("c1", "resend")
    assert told == {"type": "resend", "sessionId": session, "utterances": [{"utterance": "u1", "fromMs": 0}]}
    assert scene.sweeps() == 0


def test_a_lost_utterance_is_also_reported_with_the_next_answer(scene: Scene) -> None:
    session = scene.opens()
    scene.utters(session, "u1")
    scene.clock.now_ms += MAX_START_MS
    scene.clients.failing = EndpointConnectionError(endpoint_url="https://somewhere")
    assert scene.sweeps() == 1, "the client cannot be notified now"
    lost = [{"utterance": "u1", "fromMs": 0}]
    assert scene.utters(session, "u2")["resend"] == lost
    assert scene.says("ping", sessionId=session)["resend"] == lost, "only until it is sent again"
    assert scene.utters(session, "u1")["type"] == "accepted"
    assert scene.handed[-1].attempts == 2
    assert scene.says("ping", sessionId=session)["resend"] == []


def test_a_failed_invocation_returns_the_slot(scene: Scene) -> None:
    session = scene.opens()
    scene.refusing = EndpointConnectionError(endpoint_url="https://somewhere")
    assert scene.utters(session, "u1")["code"] == "UNAVAILABLE"
    scene.refusing = None
    assert scene.utters(session, "u1")["type"] == "accepted"


@pytest.mark.parametrize("ended", [False, True])
def test_an_utterance_whose_invocation_succeeded_without_a_response_is_accepted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """Without its slot, the attempt would stop in the middle of a sentence, and another attempt would repeat it."""

    def handed_over(work: ProcessorEvent) -> None:
        def begin(flight: SessionSlots) -> tuple[SessionSlots, None]:
            now_ms = scene.clock.now_ms
            begun, _ = flight.start(work.utterance, work.attempt, now_ms, now_ms + 9_000)
            return (begun.finish(work.utterance, work.attempt) if ended else begun), None

        scene.live.change(SessionSlots, session_slots_key(work.session_id), begin)
        raise ReadTimeoutError(endpoint_url="https://somewhere")

    monkeypatch.setattr(scene, "_hand_over", handed_over)
    session = scene.opens()
    assert scene.utters(session, "u1")["type"] == "accepted"
    flight = scene.live.read(SessionSlots, session_slots_key(session))
    assert flight.done == ("u1",) if ended else flight.holds_slot("u1", 1)


def test_a_direct_url_needs_an_open_session_of_the_user(scene: Scene) -> None:
    session = scene.opens(language="de-DE")
    answer = scene.says("direct", sessionId=session)
    assert (answer["url"], answer["expiresSeconds"]) == ("wss://somewhere/de-DE/300", 300)
    scene.connect("c2", "polyphony.transcription.v1", "user.bob")
    assert scene.says("direct", "c2", sessionId=session)["code"] == "SESSION_UNKNOWN"
    scene.says("close", sessionId=session)
    assert scene.says("direct", sessionId=session)["code"] == "SESSION_CLOSED"


def test_the_number_of_direct_urls_is_limited(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """Each URL can be used for minutes, and its stream costs money as long as it lasts."""
    session = scene.opens()
    answers = [scene.says("direct", sessionId=session) for _ in range(LIMITS.in_flight + 1)]
    assert [one["type"] for one in answers] == ["direct"] * LIMITS.in_flight + ["error"]
    assert answers[-1]["code"] == "DIRECT_REFUSED"
    assert capsys.readouterr().out.count("direct_issued") == LIMITS.in_flight
    scene.clock.now_ms += DIRECT_WITHIN_MS
    assert scene.says("direct", sessionId=session)["type"] == "direct"


def test_a_stack_can_disable_direct_urls(dynamodb: Any) -> None:
    scene = Scene(dynamodb, limits=LIMITS.model_copy(update={"direct_enabled": False}))
    assert scene.says("direct", sessionId=scene.opens())["code"] == "DIRECT_REFUSED"


def test_a_closed_session_counts_until_its_last_utterance_has_ended(scene: Scene) -> None:
    """Otherwise, a client that opens, speaks and closes repeatedly could use all streams of the account."""
    for _ in range(LIMITS.sessions_per_user):
        session = scene.opens()
        scene.utters(session)
        scene.says("close", sessionId=session)
    assert scene.says("open")["code"] == "TOO_MANY_SESSIONS"
    scene.clock.now_ms += MAX_START_MS
    assert scene.says("open")["type"] == "opened"


def test_a_session_can_be_used_only_on_the_connection_that_opened_it_last(scene: Scene) -> None:
    """Over another connection, it would not be counted."""
    session = scene.opens("c1")
    scene.disconnect("c1")
    scene.connect("c2")
    refused = [
        scene.utters(session, connection="c2"),
        scene.says("ping", "c2", sessionId=session),
        scene.says("direct", "c2", sessionId=session),
    ]
    assert {one["code"] for one in refused} == {"SESSION_ELSEWHERE"}
    assert scene.says("open", "c2", sessionId=session)["sessionId"] == session
    assert scene.utters(session, connection="c2")["type"] == "accepted"


def test_an_idle_session_makes_room_for_another_one(scene: Scene) -> None:
    """API Gateway does not report the end of every connection."""
    for number in range(LIMITS.sessions_per_user):
        scene.opens(f"c{number}")
    scene.clock.now_ms += IDLE_MS
    scene.connect("c9")
    assert scene.says("open", "c9")["code"] == "TOO_MANY_SESSIONS"
    scene.clock.now_ms += 1
    assert scene.says("open", "c9")["type"] == "opened"


def test_an_active_session_keeps_its_place_in_the_quota(scene: Scene) -> None:
    first, second = scene.opens("c1"), scene.opens("c2")
    scene.clock.now_ms += IDLE_MS
    scene.says("ping", "c1", sessionId=first)
    scene.utters(second, connection="c2")
    scene.clock.now_ms += 1
    scene.connect("c9")
    assert scene.says("open", "c9")["code"] == "TOO_MANY_SESSIONS"


@pytest.mark.parametrize("notices", ["ping", "open", "resend", "other", "sweep"])
def test_every_lost_utterance_is_logged_by_the_component_that_finds_it(
    scene: Scene, capsys: pytest.CaptureFixture[str], notices: str
) -> None:
    session = scene.opens()
    scene.utters(session, "u1")
    scene.clock.now_ms += MAX_START_MS
    match notices:
        case "ping":
            scene.says("ping", sessionId=session)
        case "open":
            scene.says("open", sessionId=session)
        case "resend":
            scene.utters(session, "u1")
        case "sweep":
            assert scene.sweeps() == 1
        case _:
            scene.utters(session, "u2")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["lost"], line["level"]) for line in lines if line["message"] == "utterances_lost"] == [(1, "ERROR")]
    assert scene.sweeps() == 0


def test_a_failure_for_one_session_does_not_stop_the_sweep_of_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = scene.opens("c1"), scene.opens("c2")
    scene.utters(first, connection="c1")
    scene.utters(second, connection="c2")
    scene.clock.now_ms += MAX_START_MS
    broken = min(session_slots_key(first), session_slots_key(second))
    change = scene.live.change

    def failing(model: Any, key: str, move: Any) -> Any:
        return 1 / 0 if key == broken else change(model, key, move)

    monkeypatch.setattr(scene.live, "change", failing)
    with pytest.raises(SweepFailed, match="1 sessions"):
        scene.sweeps()
    assert len(scene.clients.of("c1", "resend") + scene.clients.of("c2", "resend")) == 1


def test_each_session_has_its_own_secret(scene: Scene) -> None:
    """Caption hashes are keyed with it, so the same words in two sessions have different hashes."""
    secrets = [
        session.secret for one in (scene.opens("c1"), scene.opens("c2")) if (session := scene.sessions.find(one))
    ]
    assert len(set(secrets)) == 2
    assert all(len(bytes.fromhex(one)) == 32 for one in secrets)


def test_a_user_continues_a_session_that_an_operator_opened(scene: Scene) -> None:
    session = operated(scene, ANN, language="de-DE")["sessionId"]
    found = scene.sessions.find(session)
    assert found is not None
    assert found.language == "de-DE"
    scene.connect()
    assert scene.says("open", sessionId=session)["sessionId"] == session
    assert scene.utters(session)["type"] == "accepted"
    assert operated(scene, ANN, sessionId=session)["sessionId"] != session, "no session is removed"
    assert scene.live.read(SessionSlots, session_slots_key(session)).connection == "c1"


@pytest.mark.parametrize("user", ["ann", "ANN", "", None, 7, ANN.lower(), f"{ANN}A", f"{ANN}\n"])
def test_an_operator_cannot_open_a_session_for_an_impossible_user(scene: Scene, user: Any) -> None:
    """The session could be opened, but its user would get the error that there is no such session."""
    with pytest.raises(ValueError, match=r"^user must be .*docs/transcription\.md"):
        operated(scene, user)
    assert scene.dynamodb.scan(TableName=SESSIONS)["Items"] == []


def operated(scene: Scene, user: Any, **session: Any) -> dict[str, Any]:
    """Open a session as an operator does."""
    return scene.router.handle({"kind": "open", "user": user, "session": session}, scene.clock.now_ms)


def test_no_audio_and_no_token_is_stored_or_logged(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    canary = "bearer.canary-token"
    scene.connect("c1", "polyphony.transcription.v1", canary, "user.canary-name")
    session = scene.says("open")["sessionId"]
    scene.says("audio", sessionId=session, utterance="u1", sequence=1, audio="canary-audio")
    scene.utters(session, "u2")
    stored = json.dumps([scene.dynamodb.scan(TableName=table)["Items"] for table in (LIVE, SESSIONS)])
    for text in (stored, capsys.readouterr().out):
        assert "canary" not in text
        assert silence(1)[:40] not in text
