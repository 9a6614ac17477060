"""Messages `query`: which questions are accepted, counted and stored, and when the query worker is invoked.

A message with the `queryId` of a stored question repeats the question. The connection that asked last is the question's
listener, to which the answer is posted. `calls` counts the worker's invocations for the question.
"""

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
from tests.handlers.voice_qa.socket_harness import (
    ANN_GUEST_ID,
    ANN_IDENTITY,
    BOB_GUEST_ID,
    BOB_IDENTITY,
    ENVIRONMENT,
    LECTURE_ID,
    SocketHarness,
)

RUNNING_MS = int((ENVIRONMENT.answer_seconds + CHECK_GRACE_SECONDS) * 1000)
"""Time after which a question without an end does not count as being answered any more."""
ULID = SESSION_ID = "01ARYZ6S410000000000000001"
OTHER_SESSION_ID = "01ARYZ6S410000000000000002"
LAMBDA_UNREACHABLE = EndpointConnectionError(endpoint_url="https://somewhere")
INVOCATION_THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "no"}}, "Invoke")


def test_a_question_is_stored_and_a_worker_is_invoked(api: SocketHarness) -> None:
    answer = api.ask(text="Why?", language="de-DE", sessionId=SESSION_ID, attempt=2, resumeFrom=3)
    accepted_message = {"type": "queryAccepted", "queryId": "question-1", "sessionId": SESSION_ID, "repeated": False}
    assert answer == {"id": "m1", **accepted_message}
    assert api.worker_events == [WorkerEvent(guest_id=ANN_GUEST_ID, query_id="question-1")]
    assert api.scheduled_checks == [TimeLimitCheck(guest_id=ANN_GUEST_ID, query_id="question-1", call=1)]
    assert api.read_question() == QuestionRecord(
        status=QuestionStatus.ACCEPTED,
        identity=ANN_IDENTITY,
        lecture_id=LECTURE_ID,
        session=SESSION_ID,
        text="Why?",
        language="de-DE",
        listener=Listener(connection="c1", attempt=2, resume_from=3, request_count=1),
        asked_ms=START_MS,
        calls=1,
    )


def test_a_spoken_question_without_a_session_id_starts_a_new_session(api: SocketHarness) -> None:
    key = f"queries/{ANN_GUEST_ID}/{ULID}"
    first, second = api.ask("question-1", text=None, audioKey=key), api.ask("question-2")
    assert len({first["sessionId"], second["sessionId"], SESSION_ID}) == 3
    question = api.read_question()
    assert (question.audio_key, question.text, question.session) == (key, None, first["sessionId"])


@pytest.mark.parametrize("second_session", [None, OTHER_SESSION_ID])
def test_a_repeated_question_keeps_its_session(api: SocketHarness, second_session: str | None) -> None:
    session = api.ask()["sessionId"]
    assert api.ask(sessionId=second_session)["sessionId"] == session
    api.put_question(QuestionRecord(status=QuestionStatus.FAILED, retryable=True, session=session))
    assert api.ask(sessionId=second_session)["sessionId"] == session
    assert api.read_question().session == session


@pytest.mark.parametrize("content", [{"text": None}, {"audioKey": f"queries/{ANN_GUEST_ID}/{ULID}"}])
def test_a_question_is_either_spoken_or_written(api: SocketHarness, content: dict[str, Any]) -> None:
    answer = api.ask(**content)
    assert (answer["code"], [item["field"] for item in answer["fields"]]) == ("MALFORMED", ["audioKey"])
    _assert_no_question_stored(api)


@pytest.mark.parametrize(
    "content",
    [
        *({"queryId": "short"}, {"queryId": "x" * 65}, {"queryId": "a#b#c#d#e"}, {"queryId": 12345678}),
        *({"lectureId": "x"}, {"lectureId": LECTURE_ID.lower()}, {"lectureId": f"{LECTURE_ID}\n"}, {"lectureId": None}),
        *({"sessionId": "x"}, {"sessionId": f"{SESSION_ID}#x"}, {"text": ""}, {"text": "x" * 2001}, {"text": ["x"]}),
        *({"text": "\ud800"}, {"audioKey": "x" * 301, "text": None}, {"language": "klingon"}, {"resumeFrom": -1}),
        *({"resumeFrom": 100_001}, {"resumeFrom": "x"}, {"attempt": 0}, {"attempt": 100_001}),
    ],
)
def test_an_invalid_value_is_refused(api: SocketHarness, content: dict[str, Any]) -> None:
    assert api.ask(**content)["code"] == "MALFORMED"
    _assert_no_question_stored(api)


@pytest.mark.parametrize(
    "key",
    [
        f"queries/{BOB_GUEST_ID}/{ULID}",
        f"queries/{ANN_GUEST_ID}/../{BOB_GUEST_ID}/{ULID}",
        f"lectures/{ULID}/{ULID}",
        f"queries/{ANN_GUEST_ID}/x",
        f"queries/{ANN_IDENTITY}/{ULID}",
        "",
    ],
)
def test_a_key_that_is_not_the_guests_own_upload_is_refused(api: SocketHarness, key: str) -> None:
    assert api.ask(text=None, audioKey=key)["code"] == "AUDIO_FOREIGN"
    _assert_no_question_stored(api)


def test_a_guest_can_ask_about_another_guests_lecture(api: SocketHarness) -> None:
    """Lectures are shared (docs/voice-qa.md), but each guest has separate questions, even under the same id."""
    lecture = api.send("upload", kind="lecture", contentType="audio/mpeg")["lectureId"]
    api.store_lecture(lecture)
    api.connect("c2", BOB_IDENTITY)
    for connection, text in (("c1", "Why?"), ("c2", "How?")):
        assert api.ask(connection=connection, lectureId=lecture, text=text)["repeated"] is False
    assert (api.read_question().text, api.read_question(guest_id=BOB_GUEST_ID).text) == ("Why?", "How?")
    assert api.worker_events == [
        WorkerEvent(guest_id=guest_id, query_id="question-1") for guest_id in (ANN_GUEST_ID, BOB_GUEST_ID)
    ]


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        *(({"duration_ms": "x"}, "LECTURE_NOT_READY"), ({"status": "validating"}, "LECTURE_NOT_READY")),
        *(({"status": "READY"}, "LECTURE_NOT_READY"), ({"status": "rejected"}, "LECTURE_REJECTED")),
    ],
)
def test_only_a_ready_lecture_can_be_asked_about(api: SocketHarness, attributes: dict[str, str], code: str) -> None:
    api.store_lecture(**attributes)
    assert api.ask()["code"] == code
    assert api.ask(lectureId=ULID)["code"] == "LECTURE_UNKNOWN"
    _assert_no_question_stored(api)


@pytest.mark.parametrize(
    "stored_question",
    [
        QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=START_MS),
        QuestionRecord(status=QuestionStatus.FAILED, retryable=True),
    ],
)
def test_a_new_answer_attempt_needs_a_ready_lecture(api: SocketHarness, stored_question: QuestionRecord) -> None:
    api.put_question(stored_question)
    api.store_lecture(status="rejected", reason="The file is empty.")
    assert api.ask()["code"] == "LECTURE_REJECTED"
    assert (api.read_question(), api.worker_events, api.read_allowance().asked_ms) == (stored_question, [], ())


def test_the_error_for_a_rejected_lecture_contains_the_truncated_reason(api: SocketHarness) -> None:
    for reason, message in (("The file is empty.", "The file is empty."), ("x" * 10_000, "x" * 300)):
        api.store_lecture(status="rejected", reason=reason)
        answer = api.ask()
        assert (answer["code"], answer["message"]) == ("LECTURE_REJECTED", message)
    api.store_lecture(status="rejected", reason="")
    assert api.ask()["message"], "a lecture without a stored reason has a default message"


@pytest.mark.parametrize(
    ("stored_question", "invocations", "lecture_status"),
    [
        (QuestionRecord(status=QuestionStatus.ACCEPTED), 1, "rejected"),
        (QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=START_MS + 1), 0, "rejected"),
        (QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=START_MS), 1, "ready"),
        (QuestionRecord(status=QuestionStatus.ANSWERED), 1, "rejected"),
        (QuestionRecord(status=QuestionStatus.FAILED, retryable=True), 1, "ready"),
    ],
)
def test_the_answer_to_a_repeated_question_goes_to_the_new_connection(
    api: SocketHarness, stored_question: QuestionRecord, invocations: int, lecture_status: str
) -> None:
    """Only a new attempt needs a ready lecture."""
    api.store_lecture(status=lecture_status)
    api.put_question(
        stored_question.model_copy(
            update={"session": SESSION_ID, "listener": Listener(connection="c0", request_count=4)}
        )
    )
    answer = api.ask(resumeFrom=2)
    assert (answer["type"], answer["sessionId"], answer["repeated"]) == ("queryAccepted", SESSION_ID, True)
    assert len(api.worker_events) == invocations
    assert api.read_question().listener == Listener(connection="c1", resume_from=2, request_count=5)


@pytest.mark.parametrize("status", [QuestionStatus.RUNNING, QuestionStatus.ANSWERED])
def test_a_repeated_question_with_another_text_does_not_replace_the_first_one(
    api: SocketHarness, status: QuestionStatus
) -> None:
    stored_question = QuestionRecord(
        status=status, session=SESSION_ID, text="Why?", lecture_id="lecture-1", running_until_ms=START_MS + 1
    )
    api.put_question(stored_question)
    api.ask(text="How?")
    calls = 1 if status is QuestionStatus.ANSWERED else 0
    assert api.read_question() == stored_question.model_copy(
        update={"listener": Listener(connection="c1", request_count=1), "calls": calls}
    )


def test_a_question_that_cannot_be_answered_is_refused_when_it_is_repeated(api: SocketHarness) -> None:
    api.put_question(QuestionRecord(status=QuestionStatus.FAILED, code="AUDIO_EMPTY"))
    answer = api.ask()
    assert (answer["type"], answer["code"]) == ("error", "QUERY_FAILED")
    assert (api.worker_events, api.read_allowance().asked_ms) == ([], ())
    assert api.read_question().status is QuestionStatus.FAILED


def test_the_number_of_concurrent_questions_is_limited(api: SocketHarness) -> None:
    for number in range(ENVIRONMENT.queries_at_once):
        assert api.ask(f"question-{number}")["type"] == "queryAccepted"
    answered_question = QuestionRecord(
        status=QuestionStatus.ANSWERED, session=SESSION_ID, listener=Listener(connection="c0")
    )
    api.put_question(answered_question, "question-y")
    for query_id, stored_question in (("question-x", QuestionRecord()), ("question-y", answered_question)):
        answer = api.ask(query_id)
        assert (answer["code"], len(api.worker_events)) == ("TOO_MANY_QUERIES", ENVIRONMENT.queries_at_once)
        assert api.read_question(query_id) == stored_question, "a refused question is not changed"
    api.connect("c2", BOB_IDENTITY)
    assert api.ask("question-x", "c2")["type"] == "queryAccepted", "other guests' questions do not count"
    api.end_question("question-0")
    assert api.ask("question-x")["type"] == "queryAccepted"


def test_a_question_without_an_end_stops_counting_after_its_time_limit(api: SocketHarness) -> None:
    for number in range(ENVIRONMENT.queries_at_once):
        api.ask(f"question-{number}")
    api.clock.now_ms += RUNNING_MS - 1
    assert api.ask("question-x")["code"] == "TOO_MANY_QUERIES"
    api.clock.now_ms += 1
    assert api.ask("question-x")["type"] == "queryAccepted"


def test_the_number_of_questions_in_an_hour_is_limited(api: SocketHarness) -> None:
    for number in range(ENVIRONMENT.queries_per_hour):
        assert api.ask(f"question-{number}")["type"] == "queryAccepted"
        api.end_question(f"question-{number}")
    api.clock.now_ms += HOUR_MS - 1
    assert api.ask("question-x")["code"] == "TOO_MANY_QUERIES"
    api.clock.now_ms += 1
    assert api.ask("question-x")["type"] == "queryAccepted"


def test_a_repeated_question_that_is_being_answered_is_not_counted_and_never_refused(api: SocketHarness) -> None:
    for number in range(ENVIRONMENT.queries_at_once):
        api.ask(f"question-{number}")
    before = api.read_allowance().asked_ms
    running_question = QuestionRecord(
        status=QuestionStatus.RUNNING, running_until_ms=START_MS + HOUR_MS, session=SESSION_ID
    )
    for stored_question in (QuestionRecord(status=QuestionStatus.ACCEPTED, session=SESSION_ID), running_question):
        api.put_question(stored_question, "question-0")
        for _ in range(ENVIRONMENT.queries_per_hour + 1):
            assert api.ask("question-0")["type"] == "queryAccepted"
    assert api.read_allowance().asked_ms == before


@pytest.mark.parametrize("error", [LAMBDA_UNREACHABLE, INVOCATION_THROTTLED])
@pytest.mark.parametrize(
    "stored_question", [QuestionRecord(), QuestionRecord(status=QuestionStatus.ANSWERED, session=SESSION_ID, attempt=3)]
)
def test_a_worker_that_could_not_be_invoked_is_invoked_when_the_question_is_repeated(
    api: SocketHarness, error: Exception, stored_question: QuestionRecord
) -> None:
    api.put_question(stored_question)
    api.invocation_error = error
    answer = api.ask()
    assert (answer["code"], api.worker_events) == ("UNAVAILABLE", [])
    assert (api.read_allowance().running, api.read_allowance().asked_ms) == ((), ())
    api.invocation_error = None
    repeated = api.ask()
    assert (repeated["type"], repeated["sessionId"]) == ("queryAccepted", api.read_question().session)
    assert api.worker_events == [WorkerEvent(guest_id=ANN_GUEST_ID, query_id="question-1")]
    assert api.read_allowance().asked_ms == (START_MS,)
    assert api.read_question().attempt == stored_question.attempt, "the stored answer of an earlier attempt stays valid"


def test_questions_whose_worker_cannot_be_invoked_do_not_count(api: SocketHarness) -> None:
    api.invocation_error = LAMBDA_UNREACHABLE
    for number in range(ENVIRONMENT.queries_per_hour + 1):
        api.clock.now_ms += 1
        assert api.ask(f"question-{number}")["code"] == "UNAVAILABLE"


def test_a_failed_invocation_of_a_repeated_question_does_not_remove_the_count_of_its_first_request(
    api: SocketHarness,
) -> None:
    api.ask()
    api.clock.now_ms += 1
    api.invocation_error = LAMBDA_UNREACHABLE
    assert api.ask()["code"] == "UNAVAILABLE"
    assert [name for name, _ in api.read_allowance().running] == ["question-1"]
    assert api.read_allowance().asked_ms == (START_MS,)


def test_a_concurrently_changed_question_is_counted_once(api: SocketHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[QuestionRecord] = []
    apply_request = QuestionRecord.apply_request

    def change_concurrently_once(self: QuestionRecord, new: QuestionRecord, now_ms: int) -> Any:
        requests.append(new)
        if len(requests) == 1:
            api.put_question(QuestionRecord(status=QuestionStatus.FAILED, retryable=True, session=SESSION_ID))
        return apply_request(self, new, now_ms)

    monkeypatch.setattr(QuestionRecord, "apply_request", change_concurrently_once)
    assert api.ask()["sessionId"] == SESSION_ID
    assert (len(requests), api.read_allowance().asked_ms, len(api.worker_events)) == (2, (START_MS,), 1)


def _assert_no_question_stored(api: SocketHarness) -> None:
    """Check that no question or allowance is stored, and that no worker is invoked."""
    kinds = {item["sessionId"]["S"].split("#")[0] for item in api.stored_items()}
    assert (api.worker_events, kinds) == ([], {"connection", "lecture"})


@pytest.mark.parametrize(("running_until_ms", "answer_type"), [(START_MS + 1, "queryAccepted"), (START_MS, "error")])
def test_a_question_with_the_maximum_of_invocations_is_accepted_only_while_it_is_being_answered(
    api: SocketHarness, running_until_ms: int, answer_type: str
) -> None:
    stored_question = QuestionRecord(status=QuestionStatus.RUNNING, session=SESSION_ID, calls=MAX_CALLS)
    api.put_question(stored_question.model_copy(update={"running_until_ms": running_until_ms}))
    answer = api.ask()
    assert (answer["type"], answer.get("code")) == (answer_type, "TOO_MANY_QUERIES" if answer_type == "error" else None)
    assert api.worker_events == []


@pytest.mark.parametrize("status", [QuestionStatus.ACCEPTED, QuestionStatus.ANSWERED])
def test_the_number_of_worker_invocations_for_a_question_is_limited(api: SocketHarness, status: QuestionStatus) -> None:
    """Each invocation costs money, even if it only sends a stored answer."""
    api.put_question(QuestionRecord(status=status, session=SESSION_ID))
    answers = [api.ask() for _ in range(MAX_CALLS + 1)]
    assert [answer["type"] for answer in answers] == ["queryAccepted"] * MAX_CALLS + ["error"]
    assert answers[-1]["code"] == "TOO_MANY_QUERIES"
    assert len(api.worker_events) == MAX_CALLS
