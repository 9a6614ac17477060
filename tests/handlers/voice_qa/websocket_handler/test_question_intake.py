"""Intake of questions: what is refused, what is counted, and when a worker is invoked."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from handlers.common.audio.audio_file import RejectionReason
from handlers.common.aws.s3_notifications import NewObject
from handlers.voice_qa.lecture_table import LectureTable
from handlers.voice_qa.lectures import LectureStatus, LectureUpload, LectureVerdict
from handlers.voice_qa.table_records import HOUR_MS, MAX_CALLS, Listener, QuestionRecord, QuestionStatus, WorkerEvent
from handlers.voice_qa.websocket_handler.question_intake import COUNTED_MS
from tests.handlers.transcription.router_setup import START_MS
from tests.handlers.voice_qa.conversation_setup import ANN, BOB, LECTURE, LIMITS, Scene
from tests.handlers.voice_qa.validate_lecture.lecture_setup import BUCKET, TABLE

ULID = "01ARYZ6S410000000000000001"
OTHER = "01ARYZ6S410000000000000002"
UNREACHABLE = EndpointConnectionError(endpoint_url="https://somewhere")
REFUSED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "no"}}, "Invoke")


def test_a_question_is_stored_and_a_worker_is_invoked(scene: Scene) -> None:
    answer = scene.asks(text="Why?", language="de-DE", sessionId=ULID, attempt=2, resumeFrom=3)
    assert answer == {
        "id": "m1",
        "type": "queryAccepted",
        "queryId": "question-1",
        "sessionId": ULID,
        "repeated": False,
    }
    assert scene.called == [WorkerEvent(identity=ANN, query_id="question-1")]
    assert scene.question() == QuestionRecord(
        status=QuestionStatus.ACCEPTED,
        lecture_id=LECTURE,
        session=ULID,
        text="Why?",
        language="de-DE",
        listener=Listener(connection="c1", attempt=2, resume_from=3, request_count=1),
        asked_ms=START_MS,
        calls=1,
    )


def test_a_question_can_be_spoken_and_starts_a_new_session_without_a_session_id(scene: Scene) -> None:
    key = f"queries/{ANN}/{ULID}"
    first, second = scene.asks("question-1", text=None, audioKey=key), scene.asks("question-2")
    assert len({first["sessionId"], second["sessionId"], ULID}) == 3
    asked = scene.question()
    assert (asked.audio_key, asked.text, asked.session) == (key, None, first["sessionId"])


@pytest.mark.parametrize("again", [None, OTHER])
def test_a_question_keeps_its_session(scene: Scene, again: str | None) -> None:
    session = scene.asks()["sessionId"]
    assert scene.asks(sessionId=again)["sessionId"] == session
    scene.puts(QuestionRecord(status=QuestionStatus.FAILED, retryable=True, session=session))
    assert scene.asks(sessionId=again)["sessionId"] == session
    assert scene.question().session == session


@pytest.mark.parametrize("content", [{"text": None}, {"audioKey": f"queries/{ANN}/{ULID}"}])
def test_a_question_is_either_spoken_or_written(scene: Scene, content: dict[str, Any]) -> None:
    answer = scene.asks(**content)
    assert (answer["code"], [one["field"] for one in answer["fields"]]) == ("MALFORMED", ["audioKey"])
    _assert_nothing_happened(scene)


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
def test_values_out_of_range_are_refused(scene: Scene, content: dict[str, Any]) -> None:
    assert scene.asks(**content)["code"] == "MALFORMED"
    _assert_nothing_happened(scene)


@pytest.mark.parametrize(
    "key",
    [f"queries/{BOB}/{ULID}", f"queries/{ANN}/../{BOB}/{ULID}", f"lectures/{ULID}/{ULID}", f"queries/{ANN}/x", ""],
)
def test_another_guests_audio_is_refused(scene: Scene, key: str) -> None:
    assert scene.asks(text=None, audioKey=key)["code"] == "AUDIO_FOREIGN"
    _assert_nothing_happened(scene)


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        *(({"duration_ms": "x"}, "LECTURE_NOT_READY"), ({"status": "validating"}, "LECTURE_NOT_READY")),
        *(({"status": "READY"}, "LECTURE_NOT_READY"), ({"status": "rejected"}, "LECTURE_REJECTED")),
    ],
)
def test_only_a_ready_lecture_can_be_asked_about(scene: Scene, attributes: dict[str, str], code: str) -> None:
    scene.lecture(**attributes)
    assert scene.asks()["code"] == code
    assert scene.asks(lectureId=ULID)["code"] == "LECTURE_UNKNOWN"
    _assert_nothing_happened(scene)


@pytest.mark.parametrize(
    "known",
    [
        QuestionRecord(status=QuestionStatus.ACCEPTED),
        QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=START_MS + 1),
        QuestionRecord(status=QuestionStatus.ANSWERED),
    ],
)
def test_an_answer_that_has_begun_continues_whatever_happens_to_its_lecture(
    scene: Scene, known: QuestionRecord
) -> None:
    scene.puts(known.model_copy(update={"session": ULID, "listener": Listener(connection="c0", request_count=1)}))
    scene.lecture(status="rejected", reason="The file is empty.")
    assert scene.asks(resumeFrom=2)["type"] == "queryAccepted"
    assert scene.question().listener == Listener(connection="c1", resume_from=2, request_count=2)


@pytest.mark.parametrize(
    "known",
    [
        QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=START_MS),
        QuestionRecord(status=QuestionStatus.FAILED, retryable=True),
    ],
)
def test_a_new_answer_attempt_needs_a_ready_lecture(scene: Scene, known: QuestionRecord) -> None:
    scene.puts(known)
    scene.lecture(status="rejected", reason="The file is empty.")
    assert scene.asks()["code"] == "LECTURE_REJECTED"
    assert (scene.question(), scene.called, scene.allowance().asked_ms) == (known, [], ())


def test_a_rejected_lecture_gives_the_validators_reason_truncated(scene: Scene) -> None:
    one = NewObject(
        bucket=BUCKET,
        key=f"lectures/{ULID}/x",
        version_id="v",
        size=9,
        etag="e",
        arrived=datetime(2026, 1, 3, tzinfo=UTC),
    )
    verdict = LectureVerdict(LectureStatus.REJECTED, RejectionReason.EMPTY, "The file is empty.")
    LectureTable(scene.dynamodb, TABLE).write_verdict(LectureUpload(ULID, one), verdict, None, one.arrived)
    answer = scene.asks(lectureId=ULID)
    assert (answer["code"], answer["message"]) == ("LECTURE_REJECTED", "The file is empty.")
    scene.lecture(status="rejected", reason="x" * 10_000)
    assert len(scene.asks()["message"]) == 300
    scene.lecture(status="rejected", reason="")
    assert scene.asks()["message"]


@pytest.mark.parametrize(
    ("known", "called"),
    [
        (QuestionRecord(status=QuestionStatus.ACCEPTED), 1),
        (QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=START_MS + 1), 0),
        (QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=START_MS), 1),
        (QuestionRecord(status=QuestionStatus.ANSWERED), 1),
        (QuestionRecord(status=QuestionStatus.FAILED, retryable=True), 1),
    ],
)
def test_the_answer_to_a_repeated_question_goes_to_the_new_connection(
    scene: Scene, known: QuestionRecord, called: int
) -> None:
    scene.puts(known.model_copy(update={"session": ULID, "listener": Listener(connection="c0", request_count=4)}))
    answer = scene.asks(resumeFrom=2)
    assert (answer["type"], answer["sessionId"], answer["repeated"]) == ("queryAccepted", ULID, True)
    assert len(scene.called) == called
    assert scene.question().listener == Listener(connection="c1", resume_from=2, request_count=5)


@pytest.mark.parametrize("status", [QuestionStatus.RUNNING, QuestionStatus.ANSWERED])
def test_the_first_version_of_a_question_is_answered(scene: Scene, status: QuestionStatus) -> None:
    known = QuestionRecord(status=status, session=ULID, text="Why?", lecture_id=OTHER, running_until_ms=START_MS + 1)
    scene.puts(known)
    scene.asks(text="How?")
    calls = 1 if status is QuestionStatus.ANSWERED else 0
    assert scene.question() == known.model_copy(
        update={"listener": Listener(connection="c1", request_count=1), "calls": calls}
    )


def test_an_unanswerable_question_is_not_answered_again(scene: Scene) -> None:
    scene.puts(QuestionRecord(status=QuestionStatus.FAILED, code="AUDIO_EMPTY"))
    answer = scene.asks()
    assert (answer["type"], answer["code"]) == ("error", "QUERY_FAILED")
    assert (scene.called, scene.allowance().asked_ms) == ([], ())
    assert scene.question().status is QuestionStatus.FAILED


def test_two_guests_can_use_the_same_name_for_their_questions(scene: Scene) -> None:
    scene.connect("c2", BOB)
    scene.asks(text="Why?")
    assert not scene.asks(connection="c2", text="How?")["repeated"]
    assert (scene.question().text, scene.question(identity=BOB).text) == ("Why?", "How?")
    assert scene.called == [
        WorkerEvent(identity=ANN, query_id="question-1"),
        WorkerEvent(identity=BOB, query_id="question-1"),
    ]


def test_the_number_of_concurrent_questions_is_limited(scene: Scene) -> None:
    for number in range(LIMITS.queries_at_once):
        assert scene.asks(f"question-{number}")["type"] == "queryAccepted"
    answered = QuestionRecord(status=QuestionStatus.ANSWERED, session=ULID, listener=Listener(connection="c0"))
    scene.puts(answered, "question-y")
    for name, known in (("question-x", QuestionRecord()), ("question-y", answered)):
        refused = scene.asks(name)
        assert (refused["code"], len(scene.called)) == ("TOO_MANY_QUERIES", LIMITS.queries_at_once)
        assert scene.question(name) == known, "a refused question does not change"
    scene.connect("c2", BOB)
    assert scene.asks("question-x", "c2")["type"] == "queryAccepted", "other guests' questions do not count"
    scene.ends("question-0")
    assert scene.asks("question-x")["type"] == "queryAccepted"


def test_an_abandoned_question_stops_counting(scene: Scene) -> None:
    for number in range(LIMITS.queries_at_once):
        scene.asks(f"question-{number}")
    scene.clock.now_ms += COUNTED_MS - 1
    assert scene.asks("question-x")["code"] == "TOO_MANY_QUERIES"
    scene.clock.now_ms += 1
    assert scene.asks("question-x")["type"] == "queryAccepted"


def test_the_number_of_questions_in_an_hour_is_limited(scene: Scene) -> None:
    for number in range(LIMITS.queries_per_hour):
        assert scene.asks(f"question-{number}")["type"] == "queryAccepted"
        scene.ends(f"question-{number}")
    scene.clock.now_ms += HOUR_MS - 1
    assert scene.asks("question-x")["code"] == "TOO_MANY_QUERIES"
    scene.clock.now_ms += 1
    assert scene.asks("question-x")["type"] == "queryAccepted"


def test_repeating_a_question_that_is_being_answered_is_free_and_never_refused(scene: Scene) -> None:
    for number in range(LIMITS.queries_at_once):
        scene.asks(f"question-{number}")
    before = scene.allowance().asked_ms
    running = QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=START_MS + HOUR_MS, session=ULID)
    for status in (QuestionRecord(status=QuestionStatus.ACCEPTED, session=ULID), running):
        scene.puts(status, "question-0")
        for _ in range(LIMITS.queries_per_hour + 1):
            assert scene.asks("question-0")["type"] == "queryAccepted"
    assert scene.allowance().asked_ms == before


@pytest.mark.parametrize("refusing", [UNREACHABLE, REFUSED])
@pytest.mark.parametrize(
    "known", [QuestionRecord(), QuestionRecord(status=QuestionStatus.ANSWERED, session=ULID, attempt=3)]
)
def test_a_worker_that_could_not_be_invoked_is_invoked_when_the_question_is_repeated(
    scene: Scene, refusing: Exception, known: QuestionRecord
) -> None:
    scene.puts(known)
    scene.refusing = refusing
    answer = scene.asks()
    assert (answer["code"], scene.called) == ("UNAVAILABLE", [])
    assert (scene.allowance().running, scene.allowance().asked_ms) == ((), ())
    scene.refusing = None
    again = scene.asks()
    assert (again["type"], again["sessionId"]) == ("queryAccepted", scene.question().session)
    assert scene.called == [WorkerEvent(identity=ANN, query_id="question-1")]
    assert scene.allowance().asked_ms == (START_MS,)
    assert scene.question().attempt == known.attempt, "a stored answer is not lost"


def test_a_failed_invocation_does_not_count(scene: Scene) -> None:
    scene.refusing = UNREACHABLE
    for number in range(LIMITS.queries_per_hour + 1):
        scene.clock.now_ms += 1
        assert scene.asks(f"question-{number}")["code"] == "UNAVAILABLE"


def test_a_failed_invocation_does_not_uncount_an_earlier_request(scene: Scene) -> None:
    scene.asks()
    scene.clock.now_ms += 1
    scene.refusing = UNREACHABLE
    assert scene.asks()["code"] == "UNAVAILABLE"
    assert [name for name, _ in scene.allowance().running] == ["question-1"]
    assert scene.allowance().asked_ms == (START_MS,)


def test_a_question_that_collides_with_another_request_is_counted_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[int] = []
    asked = QuestionRecord.ask

    def late(self: QuestionRecord, new: QuestionRecord, now_ms: int) -> Any:
        met.append(1)
        if len(met) == 1:
            scene.puts(QuestionRecord(status=QuestionStatus.FAILED, retryable=True, session=ULID))
        return asked(self, new, now_ms)

    monkeypatch.setattr(QuestionRecord, "ask", late)
    assert scene.asks()["sessionId"] == ULID
    assert (len(met), scene.allowance().asked_ms, len(scene.called)) == (2, (START_MS,), 1)


def _assert_nothing_happened(scene: Scene) -> None:
    kinds = {one["sessionId"]["S"].split("#")[0] for one in scene.stored()}
    assert (scene.called, kinds) == ([], {"connection", "lecture"})


@pytest.mark.parametrize(("until_ms", "said"), [(START_MS + 1, "queryAccepted"), (START_MS, "error")])
def test_a_question_without_invocations_left_is_accepted_only_while_it_is_being_answered(
    scene: Scene, until_ms: int, said: str
) -> None:
    scene.puts(QuestionRecord(status=QuestionStatus.RUNNING, running_until_ms=until_ms, session=ULID, calls=MAX_CALLS))
    answer = scene.asks()
    assert (answer["type"], answer.get("code")) == (said, "TOO_MANY_QUERIES" if said == "error" else None)
    assert scene.called == []


@pytest.mark.parametrize("status", [QuestionStatus.ACCEPTED, QuestionStatus.ANSWERED])
def test_the_number_of_worker_invocations_for_a_question_is_limited(scene: Scene, status: QuestionStatus) -> None:
    """Each invocation costs money, even if it only sends a stored answer."""
    scene.puts(QuestionRecord(status=status, session=ULID))
    answers = [scene.asks() for _ in range(MAX_CALLS + 1)]
    assert [one["type"] for one in answers] == ["queryAccepted"] * MAX_CALLS + ["error"]
    assert answers[-1]["code"] == "TOO_MANY_QUERIES"
    assert len(scene.called) == MAX_CALLS
