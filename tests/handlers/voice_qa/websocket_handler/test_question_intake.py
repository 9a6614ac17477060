"""Intake of questions: refusals, counters, and invocations of the worker."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from handlers.voice_qa.table_records import (
    CHECK_GRACE_SECONDS,
    HOUR_MS,
    MAX_CALLS,
    Listener,
    QuestionRecord,
    QuestionStatus,
    TimeLimitCheck,
    WorkerEvent,
)
from tests.handlers.transcription.router_harness import START_MS
from tests.handlers.voice_qa.socket_harness import ANN, ANN_ID, BOB, BOB_ID, LECTURE, LIMITS, SocketHarness

COUNTED_MS = int((LIMITS.answer_seconds + CHECK_GRACE_SECONDS) * 1000)
ULID = "01ARYZ6S410000000000000001"
OTHER = "01ARYZ6S410000000000000002"
UNREACHABLE = EndpointConnectionError(endpoint_url="https://somewhere")
REFUSED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "no"}}, "Invoke")


def test_a_question_is_stored_and_a_worker_is_invoked(api: SocketHarness) -> None:
    answer = api.ask(text="Why?", language="de-DE", sessionId=ULID, attempt=2, resumeFrom=3)
    assert answer == {
        "id": "m1",
        "type": "queryAccepted",
        "queryId": "question-1",
        "sessionId": ULID,
        "repeated": False,
    }
    assert api.worker_events == [WorkerEvent(guest_id=ANN_ID, query_id="question-1")]
    assert api.scheduled_checks == [TimeLimitCheck(guest_id=ANN_ID, query_id="question-1", call=1)]
    assert api.question() == QuestionRecord(
        status=QuestionStatus.ACCEPTED,
        identity=ANN,
        lecture_id=LECTURE,
        session=ULID,
        text="Why?",
        language="de-DE",
        listener=Listener(connection="c1", attempt=2, resume_from=3, request_count=1),
        asked_ms=START_MS,
        calls=1,
    )


def test_a_question_can_be_spoken_and_starts_a_new_session_without_a_session_id(api: SocketHarness) -> None:
    key = f"queries/{ANN_ID}/{ULID}"
    first, second = api.ask("question-1", text=None, audioKey=key), api.ask("question-2")
    assert len({first["sessionId"], second["sessionId"], ULID}) == 3
    asked = api.question()
    assert (asked.audio_key, asked.text, asked.session) == (key, None, first["sessionId"])


@pytest.mark.parametrize("again", [None, OTHER])
def test_a_question_keeps_its_session(api: SocketHarness, again: str | None) -> None:
    session = api.ask()["sessionId"]
    assert api.ask(sessionId=again)["sessionId"] == session
    api.put_question(QuestionRecord(status=QuestionStatus.FAILED, retryable=True, session=session))
    assert api.ask(sessionId=again)["sessionId"] == session
    assert api.question().session == session


@pytest.mark.parametrize("content", [{"text": None}, {"audioKey": f"queries/{ANN_ID}/{ULID}"}])
def test_a_question_is_either_spoken_or_written(api: SocketHarness, content: dict[str, Any]) -> None:
    answer = api.ask(**content)
    assert (answer["code"], [item["field"] for item in answer["fields"]]) == ("MALFORMED", ["audioKey"])
    _assert_nothing_happened(api)


@pytest.mark.parametrize(
    "content",
    [
        *({"queryId": "short"}, {"queryId": "x" * 65}, {"queryId": "a#b#c#d#e"}, {"queryId": 12345678}),
        *({"lectureId": "x"}, {"lectureId": LECTURE.lower()}, {"lectureId": f"{LECTURE}\n"}, {"lectureId": None}),
        *({"sessionId": "x"}, {"sessionId": f"{ULID}#x"}, {"text": ""}, {"text": "x" * 2001}, {"text": ["x"]}),
        *({"text": "\ud800"}, {"audioKey": "x" * 301, "text": None}, {"language": "klingon"}, {"resumeFrom": -1}),
        *({"resumeFrom": 100_001}, {"resumeFrom": "x"}, {"attempt": 0}, {"attempt": 100_001}),
    ],
)
def test_values_out_of_range_are_refused(api: SocketHarness, content: dict[str, Any]) -> None:
    assert api.ask(**content)["code"] == "MALFORMED"
    _assert_nothing_happened(api)


@pytest.mark.parametrize(
    "key",
    [
        f"queries/{BOB_ID}/{ULID}",
        f"queries/{ANN_ID}/../{BOB_ID}/{ULID}",
        f"lectures/{ULID}/{ULID}",
        f"queries/{ANN_ID}/x",
        f"queries/{ANN}/{ULID}",
        "",
    ],
)
def test_another_guests_audio_is_refused(api: SocketHarness, key: str) -> None:
    assert api.ask(text=None, audioKey=key)["code"] == "AUDIO_FOREIGN"
    _assert_nothing_happened(api)


def test_a_guest_can_ask_about_another_guests_lecture(api: SocketHarness) -> None:
    """Decision 0056: lectures are shared. The other guest's questions stay separate."""
    lecture = api.send("upload", kind="lecture", contentType="audio/mpeg")["lectureId"]
    api.lecture(lecture)
    api.connect("c2", BOB)
    for connection in ("c1", "c2"):
        assert api.ask(connection=connection, lectureId=lecture)["repeated"] is False
    assert api.worker_events == [WorkerEvent(guest_id=guest_id, query_id="question-1") for guest_id in (ANN_ID, BOB_ID)]


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        *(({"duration_ms": "x"}, "LECTURE_NOT_READY"), ({"status": "validating"}, "LECTURE_NOT_READY")),
        *(({"status": "READY"}, "LECTURE_NOT_READY"), ({"status": "rejected"}, "LECTURE_REJECTED")),
    ],
)
def test_only_a_ready_lecture_can_be_asked_about(api: SocketHarness, attributes: dict[str, str], code: str) -> None:
    api.lecture(**attributes)
    assert api.ask()["code"] == code
    assert api.ask(lectureId=ULID)["code"] == "LECTURE_UNKNOWN"
    _assert_nothing_happened(api)


@pytest.mark.parametrize(
    "known",
    [
        QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=START_MS),
        QuestionRecord(status=QuestionStatus.FAILED, retryable=True),
    ],
)
def test_a_new_answer_attempt_needs_a_ready_lecture(api: SocketHarness, known: QuestionRecord) -> None:
    api.put_question(known)
    api.lecture(status="rejected", reason="The file is empty.")
    assert api.ask()["code"] == "LECTURE_REJECTED"
    assert (api.question(), api.worker_events, api.allowance().asked_ms) == (known, [], ())


def test_a_rejected_lecture_gives_the_validators_reason_truncated(api: SocketHarness) -> None:
    for reason, message in (("The file is empty.", "The file is empty."), ("x" * 10_000, "x" * 300)):
        api.lecture(status="rejected", reason=reason)
        answer = api.ask()
        assert (answer["code"], answer["message"]) == ("LECTURE_REJECTED", message)
    api.lecture(status="rejected", reason="")
    assert api.ask()["message"]


@pytest.mark.parametrize(
    ("known", "called", "lecture"),
    [
        (QuestionRecord(status=QuestionStatus.ACCEPTED), 1, "rejected"),
        (QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=START_MS + 1), 0, "rejected"),
        (QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=START_MS), 1, "ready"),
        (QuestionRecord(status=QuestionStatus.ANSWERED), 1, "rejected"),
        (QuestionRecord(status=QuestionStatus.FAILED, retryable=True), 1, "ready"),
    ],
)
def test_the_answer_to_a_repeated_question_goes_to_the_new_connection(
    api: SocketHarness, known: QuestionRecord, called: int, lecture: str
) -> None:
    """An answer that has begun continues whatever happens to its lecture."""
    api.lecture(status=lecture)
    api.put_question(known.model_copy(update={"session": ULID, "listener": Listener(connection="c0", request_count=4)}))
    answer = api.ask(resumeFrom=2)
    assert (answer["type"], answer["sessionId"], answer["repeated"]) == ("queryAccepted", ULID, True)
    assert len(api.worker_events) == called
    assert api.question().listener == Listener(connection="c1", resume_from=2, request_count=5)


@pytest.mark.parametrize("status", [QuestionStatus.RUNNING, QuestionStatus.ANSWERED])
def test_the_first_version_of_a_question_is_answered(api: SocketHarness, status: QuestionStatus) -> None:
    known = QuestionRecord(status=status, session=ULID, text="Why?", lecture_id=OTHER, running_until_ms=START_MS + 1)
    api.put_question(known)
    api.ask(text="How?")
    calls = 1 if status is QuestionStatus.ANSWERED else 0
    assert api.question() == known.model_copy(
        update={"listener": Listener(connection="c1", request_count=1), "calls": calls}
    )


def test_an_unanswerable_question_is_not_answered_again(api: SocketHarness) -> None:
    api.put_question(QuestionRecord(status=QuestionStatus.FAILED, code="AUDIO_EMPTY"))
    answer = api.ask()
    assert (answer["type"], answer["code"]) == ("error", "QUERY_FAILED")
    assert (api.worker_events, api.allowance().asked_ms) == ([], ())
    assert api.question().status is QuestionStatus.FAILED


def test_two_guests_can_use_the_same_name_for_their_questions(api: SocketHarness) -> None:
    api.connect("c2", BOB)
    api.ask(text="Why?")
    assert not api.ask(connection="c2", text="How?")["repeated"]
    assert (api.question().text, api.question(guest_id=BOB_ID).text) == ("Why?", "How?")
    assert api.worker_events == [
        WorkerEvent(guest_id=ANN_ID, query_id="question-1"),
        WorkerEvent(guest_id=BOB_ID, query_id="question-1"),
    ]


def test_the_number_of_concurrent_questions_is_limited(api: SocketHarness) -> None:
    for number in range(LIMITS.queries_at_once):
        assert api.ask(f"question-{number}")["type"] == "queryAccepted"
    answered = QuestionRecord(status=QuestionStatus.ANSWERED, session=ULID, listener=Listener(connection="c0"))
    api.put_question(answered, "question-y")
    for name, known in (("question-x", QuestionRecord()), ("question-y", answered)):
        refused = api.ask(name)
        assert (refused["code"], len(api.worker_events)) == ("TOO_MANY_QUERIES", LIMITS.queries_at_once)
        assert api.question(name) == known, "a refused question does not change"
    api.connect("c2", BOB)
    assert api.ask("question-x", "c2")["type"] == "queryAccepted", "other guests' questions do not count"
    api.end_question("question-0")
    assert api.ask("question-x")["type"] == "queryAccepted"


def test_an_abandoned_question_stops_counting(api: SocketHarness) -> None:
    for number in range(LIMITS.queries_at_once):
        api.ask(f"question-{number}")
    api.clock.now_ms += COUNTED_MS - 1
    assert api.ask("question-x")["code"] == "TOO_MANY_QUERIES"
    api.clock.now_ms += 1
    assert api.ask("question-x")["type"] == "queryAccepted"


def test_the_number_of_questions_in_an_hour_is_limited(api: SocketHarness) -> None:
    for number in range(LIMITS.queries_per_hour):
        assert api.ask(f"question-{number}")["type"] == "queryAccepted"
        api.end_question(f"question-{number}")
    api.clock.now_ms += HOUR_MS - 1
    assert api.ask("question-x")["code"] == "TOO_MANY_QUERIES"
    api.clock.now_ms += 1
    assert api.ask("question-x")["type"] == "queryAccepted"


def test_repeating_a_question_that_is_being_answered_is_free_and_never_refused(api: SocketHarness) -> None:
    for number in range(LIMITS.queries_at_once):
        api.ask(f"question-{number}")
    before = api.allowance().asked_ms
    running = QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=START_MS + HOUR_MS, session=ULID)
    for status in (QuestionRecord(status=QuestionStatus.ACCEPTED, session=ULID), running):
        api.put_question(status, "question-0")
        for _ in range(LIMITS.queries_per_hour + 1):
            assert api.ask("question-0")["type"] == "queryAccepted"
    assert api.allowance().asked_ms == before


@pytest.mark.parametrize("refusing", [UNREACHABLE, REFUSED])
@pytest.mark.parametrize(
    "known", [QuestionRecord(), QuestionRecord(status=QuestionStatus.ANSWERED, session=ULID, attempt=3)]
)
def test_a_worker_that_could_not_be_invoked_is_invoked_when_the_question_is_repeated(
    api: SocketHarness, refusing: Exception, known: QuestionRecord
) -> None:
    api.put_question(known)
    api.invocation_error = refusing
    answer = api.ask()
    assert (answer["code"], api.worker_events) == ("UNAVAILABLE", [])
    assert (api.allowance().running, api.allowance().asked_ms) == ((), ())
    api.invocation_error = None
    again = api.ask()
    assert (again["type"], again["sessionId"]) == ("queryAccepted", api.question().session)
    assert api.worker_events == [WorkerEvent(guest_id=ANN_ID, query_id="question-1")]
    assert api.allowance().asked_ms == (START_MS,)
    assert api.question().attempt == known.attempt, "a stored answer is not lost"


def test_a_failed_invocation_does_not_count(api: SocketHarness) -> None:
    api.invocation_error = UNREACHABLE
    for number in range(LIMITS.queries_per_hour + 1):
        api.clock.now_ms += 1
        assert api.ask(f"question-{number}")["code"] == "UNAVAILABLE"


def test_a_failed_invocation_does_not_uncount_an_earlier_request(api: SocketHarness) -> None:
    api.ask()
    api.clock.now_ms += 1
    api.invocation_error = UNREACHABLE
    assert api.ask()["code"] == "UNAVAILABLE"
    assert [name for name, _ in api.allowance().running] == ["question-1"]
    assert api.allowance().asked_ms == (START_MS,)


def test_a_question_that_collides_with_another_request_is_counted_once(
    api: SocketHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[int] = []
    asked = QuestionRecord.apply_request

    def late(self: QuestionRecord, new: QuestionRecord, now_ms: int) -> Any:
        met.append(1)
        if len(met) == 1:
            api.put_question(QuestionRecord(status=QuestionStatus.FAILED, retryable=True, session=ULID))
        return asked(self, new, now_ms)

    monkeypatch.setattr(QuestionRecord, "apply_request", late)
    assert api.ask()["sessionId"] == ULID
    assert (len(met), api.allowance().asked_ms, len(api.worker_events)) == (2, (START_MS,), 1)


def _assert_nothing_happened(api: SocketHarness) -> None:
    kinds = {item["sessionId"]["S"].split("#")[0] for item in api.stored()}
    assert (api.worker_events, kinds) == ([], {"connection", "lecture"})


@pytest.mark.parametrize(("until_ms", "said"), [(START_MS + 1, "queryAccepted"), (START_MS, "error")])
def test_a_question_without_invocations_left_is_accepted_only_while_it_is_being_answered(
    api: SocketHarness, until_ms: int, said: str
) -> None:
    api.put_question(
        QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=until_ms, session=ULID, calls=MAX_CALLS)
    )
    answer = api.ask()
    assert (answer["type"], answer.get("code")) == (said, "TOO_MANY_QUERIES" if said == "error" else None)
    assert api.worker_events == []


@pytest.mark.parametrize("status", [QuestionStatus.ACCEPTED, QuestionStatus.ANSWERED])
def test_the_number_of_worker_invocations_for_a_question_is_limited(api: SocketHarness, status: QuestionStatus) -> None:
    """Each invocation costs money, even if it only sends a stored answer."""
    api.put_question(QuestionRecord(status=status, session=ULID))
    answers = [api.ask() for _ in range(MAX_CALLS + 1)]
    assert [answer["type"] for answer in answers] == ["queryAccepted"] * MAX_CALLS + ["error"]
    assert answers[-1]["code"] == "TOO_MANY_QUERIES"
    assert len(api.worker_events) == MAX_CALLS
