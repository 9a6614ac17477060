"""Messages `query`: which questions are accepted, counted and stored, and when the query worker is invoked.

A message with the `queryId` of a stored question repeats the question.
"""

from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import EndpointConnectionError

from handlers.voice_qa.records import Question, QuestionReference, QuestionStatus
from tests.handlers.common.fakes import START_MS, client_error
from tests.handlers.voice_qa.socket_harness import (
    ANN_GUEST_ID,
    ANN_IDENTITY,
    BOB_GUEST_ID,
    BOB_IDENTITY,
    ENVIRONMENT,
    LIMIT_MS,
    NO_FAILURES,
    SocketHarness,
)
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, LECTURE_ID

NEXT_HOUR_MS = 488_889 * 3_600_000
"""First full hour after the clock's start."""
ULID = SESSION_ID = "01ARYZ6S410000000000000001"
OTHER_SESSION_ID = "01ARYZ6S410000000000000002"
OWN_KEY = f"queries/{ANN_GUEST_ID}/{ULID}"
REFERENCE = QuestionReference(guest_id=ANN_GUEST_ID, query_id="question-1")


def stored_kinds(api: SocketHarness) -> set[str]:
    """Return the kinds of stored items, which are the beginnings of their keys."""
    return {item["sessionId"]["S"].split("#")[0] for item in api.stored_items()}


def test_a_question_is_stored_and_a_worker_is_invoked(api: SocketHarness) -> None:
    answer = api.ask(text="Why?", language="de-DE", sessionId=SESSION_ID)
    assert answer == {"id": "m1", "type": "queryAccepted", "queryId": "question-1", "sessionId": SESSION_ID}
    assert api.worker_events == api.scheduled_checks == [REFERENCE]
    question = api.read_question()
    assert question == Question(
        identity=ANN_IDENTITY,
        lecture=LECTURE_ID,
        session=SESSION_ID,
        text="Why?",
        language="de-DE",
        connection="c1",
        asked_ms=START_MS,
        revision=question.revision,
    )
    assert not [text for text in ("Why?", ANN_IDENTITY) if text in repr(question)], "no log gets them by accident"
    [item] = api.items_of("query")
    assert item["expiresAt"] == {"N": str(START_MS // 1000 + 7 * 86_400)}


def test_a_spoken_question_without_a_session_id_starts_a_new_session(api: SocketHarness) -> None:
    first, second = api.ask("question-1", text=None, audioKey=OWN_KEY), api.ask("question-2")
    assert len({first["sessionId"], second["sessionId"], SESSION_ID}) == 3
    question = api.read_question()
    assert (question.audio_key, question.text, question.session) == (OWN_KEY, None, first["sessionId"])


SPOKEN: dict[str, Any] = {"text": None}


@pytest.mark.parametrize(
    ("code", "content"),
    [
        *(("MALFORMED", content) for content in (SPOKEN, {"audioKey": OWN_KEY})),  # A question is spoken or written.
        *(("MALFORMED", {"queryId": name}) for name in ("a" * 7, "a" * 65, "a#b#c#d#e")),
        *(("MALFORMED", {"text": text}) for text in ("", "x" * 2001, "\ud800")),
        *(("MALFORMED", {"lectureId": f"{LECTURE_ID}\n"}), ("MALFORMED", {"sessionId": f"{SESSION_ID}#x"})),
        ("MALFORMED", {"language": "klingon"}),
        *(
            ("AUDIO_REFUSED", SPOKEN | {"audioKey": f"{prefix}/{ANN_GUEST_ID}/{ULID}"})
            for prefix in ("lectures", "/queries", "x/queries")
        ),
        *(
            ("AUDIO_REFUSED", SPOKEN | {"audioKey": f"queries/{guest}/{ULID}"})
            for guest in (BOB_GUEST_ID, ANN_IDENTITY)
        ),
        *(
            ("AUDIO_REFUSED", SPOKEN | {"audioKey": f"queries/{ANN_GUEST_ID}/{name}"})
            for name in ("", ULID.lower(), f"{ULID}\n", f"8{ULID[1:]}", f"a/{ULID}")
        ),
        ("LECTURE_UNKNOWN", {"lectureId": ULID}),
    ],
)
def test_a_question_with_an_invalid_value_is_refused(api: SocketHarness, code: str, content: dict[str, Any]) -> None:
    assert api.ask(**content)["code"] == code
    assert (stored_kinds(api), api.worker_events) == ({"connection", "lecture"}, [])


def test_a_question_may_have_the_shortest_and_longest_values(api: SocketHarness) -> None:
    for query_id, text in (("a" * 8, "?"), ("a" * 64, "x" * 2000)):
        assert api.ask(query_id, text=text)["type"] == "queryAccepted"


def test_a_guest_can_ask_about_another_guests_lecture(api: SocketHarness) -> None:
    """Lectures are shared (docs/voice-qa.md), but each guest has separate questions, even under the same id."""
    lecture = api.send("upload", kind="lecture", contentType="audio/mpeg")["lectureId"]
    api.store_lecture(lecture, owner=ANN_GUEST_ID)
    api.connect("c2", BOB_IDENTITY)
    for connection, text in (("c1", "Why?"), ("c2", "How?")):
        assert api.ask(connection=connection, lectureId=lecture, text=text)["type"] == "queryAccepted"
    assert (api.read_question().text, api.read_question(guest_id=BOB_GUEST_ID).text) == ("Why?", "How?")
    assert [event.guest_id for event in api.worker_events] == [ANN_GUEST_ID, BOB_GUEST_ID]


def test_only_a_ready_lecture_can_be_asked_about(api: SocketHarness) -> None:
    api.store_lecture(status="rejected", message="The file is empty.")
    answer = api.ask()
    assert (answer["code"], answer["message"]) == ("LECTURE_REJECTED", "The file is empty.")
    assert (stored_kinds(api), api.worker_events) == ({"connection", "lecture"}, [])


@pytest.mark.parametrize(
    ("status", "fields", "begins_attempt", "invokes_worker"),
    [
        (QuestionStatus.ACCEPTED, {}, False, True),
        (QuestionStatus.RUNNING, {"asked_ms": START_MS - LIMIT_MS + 1}, False, False),
        (QuestionStatus.RUNNING, {"asked_ms": START_MS - LIMIT_MS}, True, True),
        (QuestionStatus.FAILED, {"retryable": True, "reported": True}, True, True),
    ],
)
def test_the_end_of_a_repeated_question_is_reported_to_the_new_connection(
    api: SocketHarness, status: QuestionStatus, fields: dict[str, Any], *, begins_attempt: bool, invokes_worker: bool
) -> None:
    """The first text counts, unless the question is answered again. Only a new answer needs a ready lecture."""
    session = api.ask(connection="c1")["sessionId"]
    api.change_question(status=status, attempt=3, **fields)
    api.connect("c2")
    if status is not QuestionStatus.ACCEPTED:
        api.store_lecture(status="rejected")
    if begins_attempt:
        before = api.read_question()
        assert api.ask(connection="c2")["code"] == "LECTURE_REJECTED"
        assert api.read_question() == before, "a refused request changes nothing"
        api.store_lecture()
    answer = api.ask(connection="c2", text="How?", sessionId=OTHER_SESSION_ID)
    assert answer == {"id": "m1", "type": "queryAccepted", "queryId": "question-1", "sessionId": session}
    assert len(api.worker_events) == 1 + invokes_worker
    question = api.read_question()
    assert (question.connection, question.attempt, question.reported) == ("c2", 3, False)
    assert question.text == ("How?" if begins_attempt else "Why?")


def test_an_answered_question_is_accepted_with_the_urls_of_its_answer(api: SocketHarness) -> None:
    api.ask()
    before = api.change_question(
        status=QuestionStatus.ANSWERED, pieces_key="responses/a.jsonl", spoken_key="responses/a.ogg"
    )
    api.store_lecture(status="rejected")
    answer = api.ask()
    for name, key in (("piecesUrl", "responses/a.jsonl"), ("audioUrl", "responses/a.ogg")):
        url = urlsplit(answer[name])
        assert (url.hostname, url.path) == (f"{BUCKET}.s3.us-east-1.amazonaws.com", f"/{key}")
        assert {"X-Amz-Expires=900", "X-Amz-Algorithm=AWS4-HMAC-SHA256"} <= {*url.query.split("&")}
    assert (len(api.worker_events), api.read_question()) == (1, before)
    api.change_question(spoken_key=None)
    assert "audioUrl" not in api.ask()


def test_a_question_that_cannot_be_answered_is_refused_when_it_is_repeated(api: SocketHarness) -> None:
    api.ask()
    before = api.change_question(status=QuestionStatus.FAILED)
    answer = api.ask()
    assert (answer["type"], answer["code"]) == ("error", "QUERY_FAILED")
    assert (len(api.worker_events), api.read_question()) == (1, before)


def test_the_number_of_questions_in_an_hour_is_limited(api: SocketHarness) -> None:
    for number in range(ENVIRONMENT.queries_per_hour):
        assert api.ask(f"question-{number}")["type"] == "queryAccepted"
    before = api.read_question("question-0")
    for query_id in ("question-x", "question-0"):
        answer = api.ask(query_id)
        assert (answer["code"], "5 questions per hour" in answer["message"]) == ("TOO_MANY_QUERIES", True)
    assert len(api.worker_events) == ENVIRONMENT.queries_per_hour, (
        "a request that invokes the worker again counts again"
    )
    assert api.read_question("question-0") == before, "a refused request changes nothing"
    api.change_question("question-0", status=QuestionStatus.RUNNING)
    assert api.ask("question-0")["type"] == "queryAccepted", "a question that is being answered is not counted"
    api.connect("c2", BOB_IDENTITY)
    assert api.ask("question-x", "c2")["type"] == "queryAccepted", "other guests' questions do not count"
    for now_ms, kind in ((NEXT_HOUR_MS - 1, "error"), (NEXT_HOUR_MS, "queryAccepted")):
        api.clock.now_ms = now_ms
        assert api.ask("question-x")["type"] == kind


@pytest.mark.parametrize("error", [EndpointConnectionError(endpoint_url="x"), client_error("TooManyRequestsException")])
def test_a_worker_that_could_not_be_invoked_is_invoked_when_the_question_is_repeated(
    api: SocketHarness, error: Exception
) -> None:
    api.invocation_error = error
    assert (api.ask()["code"], api.worker_events) == ("UNAVAILABLE", [])
    api.invocation_error = None
    assert (api.ask()["type"], api.worker_events) == ("queryAccepted", [REFERENCE])


@pytest.mark.parametrize("failing_operation", ["get_item", "put_item", "post"])
def test_the_client_of_an_overdue_question_gets_an_error_even_if_the_first_check_fails(
    api: SocketHarness, failing_operation: str
) -> None:
    api.ask()
    api.clock.now_ms += LIMIT_MS - 1
    assert api.check_time_limit() == api.check_time_limit("question-2") == NO_FAILURES
    assert (api.clients.inbox, api.read_question().status) == ({}, QuestionStatus.ACCEPTED)
    api.clock.now_ms += 1
    if failing_operation == "post":
        api.clients.failures = [client_error("Throttling")]
    else:
        api.dynamodb.fail(client_error("Throttling"), failing_operation)
    assert api.check_time_limit() == {"batchItemFailures": [{"itemIdentifier": "check-1"}]}
    assert api.check_time_limit() == NO_FAILURES
    [error] = api.clients.inbox["c1"]
    assert (error["type"], error["code"], error["retryable"]) == ("error", "AGENT_FAILED", True)
    assert error["queryId"] == "question-1"
    assert api.check_time_limit() == NO_FAILURES
    assert len(api.clients.inbox["c1"]) == 1, "a redelivered check sends no second error"
