"""The console's pure modules, in the browser that runs them, held against what the backends themselves use."""

import base64
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pydantic import ValidationError

from handlers.common.time_and_ids import ulid
from handlers.meetings.complete_file import CompleteFile
from handlers.transcription import ogg_length
from local.emulation.speech.tone_words import Recogniser, SpokenWord, silence, speech
from local.flows.transcription_client import Screen
from tests.browser import Visit
from tests.console.javascript_modules import run

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session/token+with=signs"
KEYS = {"accessKeyId": KEY, "secretAccessKey": SECRET, "sessionToken": TOKEN}
MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
RATE = 16_000


def samples_of(words: str, rate: int = RATE, after: float = 0) -> list[float]:
    """Speech as a browser has it."""
    pcm = memoryview(speech(words.split(), rate) + silence(after, rate)).cast("h")
    return [one / 32768 for one in pcm]


def test_a_page_without_a_platform_says_what_to_do(page: Visit) -> None:
    told = page.page.locator("#fatal")
    assert "make up" in told.inner_text()
    assert told.get_attribute("role") == "alert"


def test_packets_become_what_transcription_takes(page: Visit) -> None:
    packets = [[0b01111000, *range(size % 250)] for size in range(130)]  # each of 20 ms
    script = "const made = it.oggOf(given.map((one) => Uint8Array.from(one)), 7); return Array.from(made);"
    read = ogg_length.read_ogg(bytes(run(page, "ogg", script, packets)))
    assert (read.channels, read.input_rate) == (1, ogg_length.OPUS_RATE)
    assert read.samples == 130 * 960 - 312


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_the_browsers_own_encoder_makes_a_whole_utterance(page: Visit, rate: int) -> None:
    samples = samples_of("hello world", rate)
    script = "return Array.from(await it.encoded(Float32Array.from(given[0]), given[1]));"
    audio = bytes(run(page, "opus", script, [samples, rate]))
    assert ogg_length.read_ogg(audio).samples / ogg_length.OPUS_RATE == pytest.approx(len(samples) / rate, abs=0.05)
    assert len(audio) < 24_000, "a message is one frame of 32 KB, in base64"


CUT = """
const cutter = new it.Cutter(given.rate);
const found = [];
for (let at = 0; at < given.samples.length; at += given.piece) {
  found.push(...cutter.feed(Float32Array.from(given.samples.slice(at, at + given.piece))));
}
found.push(...cutter.finish());
return found.map((one) => Array.from(one));
"""


def cut(page: Visit, samples: list[float], piece: int = 640) -> list[list[float]]:
    """The utterances that are cut out of speech which comes in pieces."""
    found: list[list[float]] = run(page, "cutter", CUT, {"rate": RATE, "samples": samples, "piece": piece})
    return found


def heard(samples: list[float]) -> list[str]:
    """The words in what was cut out."""
    recogniser = Recogniser(RATE)
    pcm = b"".join(round(one * 32767).to_bytes(2, "little", signed=True) for one in samples)
    found = [*recogniser.feed(pcm), *recogniser.finish()]
    return [one.text for one in found if isinstance(one, SpokenWord)]


@pytest.mark.parametrize("piece", [100, 640, 5_000])
def test_speech_is_cut_where_somebody_pauses(page: Visit, piece: int) -> None:
    found = cut(page, samples_of("hello world . good day . thank you", after=0.5), piece)
    assert [heard(one) for one in found] == [["hello", "world"], ["good", "day"], ["thank", "you"]]


def test_long_speech_is_cut_between_words_and_no_word_is_lost(page: Visit) -> None:
    words = ["hello", "world", "good", "day", "thank", "you"] * 6
    found = cut(page, samples_of(" ".join(words)))
    assert len(found) > 1
    assert max(len(one) for one in found) <= 5 * RATE
    assert [word for one in found for word in heard(one)] == words


def test_nothing_is_cut_out_of_silence_or_a_click(page: Visit) -> None:
    click = [0.0] * RATE + [0.5] * 200 + [0.0] * RATE
    hum = [0.004 * math.sin(at / 3) for at in range(2 * RATE)]
    assert cut(page, click + hum) == []


def caption(utterance: str, result: str, text: str, **more: Any) -> dict[str, Any]:
    usual = {"sequence": int(utterance[1:]), "startMs": 0, "endMs": 100, "revision": 1, "final": False}
    return {"type": "caption", "utterance": utterance, "resultId": result, "text": text, **usual, **more}


def test_a_page_shows_the_lines_that_the_flows_reader_sees(page: Visit) -> None:
    messages: list[dict[str, Any]] = [
        caption("u2", "a", "second"),
        caption("u1", "a", "fir"),
        caption("u1", "a", "first", revision=2, final=True),
        caption("u1", "b", "lost", startMs=100, endMs=200),
        caption("u3", "a", "gone", sequence=3),
        {"type": "retract", "utterance": "u3", "resultId": "a", "revision": 1},
        caption("u2", "a", "second, later", revision=3),
        {"type": "retract", "utterance": "u2", "resultId": "a", "revision": 2},
    ]
    again = {"type": "resend", "utterances": [{"utterance": "u1", "fromMs": 100}]}
    screen = Screen()
    for one in [*messages, again]:
        screen.take(one)
    script = """
    const made = new it.Captions();
    for (const one of given.messages) made.take(one);
    given.again.utterances.forEach((one) => made.cut(one));
    return made.lines.map((one) => one.text);
    """
    assert run(page, "captions", script, {"messages": messages, "again": again}) == screen.text()
    assert screen.text() == ["first", "second, later"]


def piece(number: int, kind: str, attempt: int = 1, **more: Any) -> dict[str, Any]:
    return {"queryId": "q", "type": kind, "number": number, "attempt": attempt, **more}


ANSWER = """
const made = new it.Answer();
const anew = given.map((one) => made.hear(one));
return { anew: anew.some(Boolean), next: made.next, whole: made.isWhole, text: made.text, question: made.question,
         cited: made.citations.length, files: made.files.map((one) => new TextDecoder().decode(one)) };
"""


def audio(number: int, said: str, **more: Any) -> dict[str, Any]:
    return piece(number, "audio", audio=base64.b64encode(said.encode()).decode(), format="ogg-opus", **more)


def test_pieces_of_an_answer_are_put_in_order_however_they_come(page: Visit) -> None:
    pieces = [
        audio(3, "two", more=False),
        piece(0, "transcript", text="what?"),
        piece(5, "text", text="!"),
        piece(1, "text", text="A lecture"),
        audio(2, "one", more=True),
        piece(1, "text", text="A lecture"),
        {"type": "answered", "queryId": "q", "attempt": 1, "pieces": 6},
    ]
    found = run(page, "answer", ANSWER, pieces)
    assert found == {
        "anew": False,
        "next": 4,
        "whole": False,
        "text": "A lecture!",
        "question": "what?",
        "cited": 0,
        "files": ["onetwo"],
    }
    missing = piece(4, "citation", startMs=1, endMs=2, quote="it")
    assert run(page, "answer", ANSWER, [*pieces, missing])["whole"]


def test_an_answer_that_begins_anew_takes_the_place_of_what_was_heard(page: Visit) -> None:
    pieces = [piece(0, "text", text="Wrong"), piece(0, "text", 2, text="Right"), piece(1, "text", 1, text=" again")]
    found = run(page, "answer", ANSWER, pieces)
    assert (found["anew"], found["text"]) == (True, "Right")


@pytest.fixture
def _moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore signs at that moment."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: MOMENT.replace(tzinfo=None))


@pytest.mark.usefixtures("_moment")
def test_a_handshake_is_signed_as_botocore_signs_it(page: Visit) -> None:
    url = "wss://abc.execute-api.eu-west-1.amazonaws.com/Prod"
    script = """
    const real = Date.prototype.toISOString;
    Date.prototype.toISOString = () => "2026-01-31T12:00:00.000Z";
    try {
      return await it.signedUrl({ region: "eu-west-1" }, "execute-api", given.credentials, given.url, 60);
    } finally { Date.prototype.toISOString = real; }
    """
    made = run(page, "aws", script, {"credentials": KEYS, "url": url})
    request = AWSRequest("GET", url.replace("wss", "https"))
    SigV4QueryAuth(Credentials(KEY, SECRET, TOKEN), "execute-api", "eu-west-1", expires=60).add_auth(request)
    assert made.startswith(f"{url}?")
    signatures = [str(one).partition("X-Amz-Signature=")[2][:64] for one in (made, request.url)]
    assert signatures[0] == signatures[1] != ""


@pytest.mark.usefixtures("_moment")
def test_a_request_is_signed_as_botocore_signs_it(page: Visit) -> None:
    script = """
    const { AwsV4Signer } = await import('/vendor/aws4fetch.js');
    const { headers } = await new AwsV4Signer({ ...given, method: "POST", service: "dynamodb", region: "eu-west-1",
      datetime: "20260131T120000Z", url: "https://dynamodb.eu-west-1.amazonaws.com/", body: "{}",
      headers: { "X-Amz-Target": "DynamoDB_20120810.GetItem" } }).sign();
    return headers.get("Authorization");
    """
    target = {"X-Amz-Target": "DynamoDB_20120810.GetItem"}
    request = AWSRequest("POST", "https://dynamodb.eu-west-1.amazonaws.com/", data=b"{}", headers=target)
    SigV4Auth(Credentials(KEY, SECRET, TOKEN), "dynamodb", "eu-west-1").add_auth(request)
    assert run(page, "aws", script, KEYS) == request.headers["Authorization"]


STACK = "new it.Stack({ region: given.region }, given.local ?? null)"


@pytest.mark.parametrize(
    ("region", "address"),
    [
        ("eu-west-1", "https://landing.s3.eu-west-1.amazonaws.com/incoming/a%20b%2B%C3%BC.ndjson"),
        ("cn-north-1", "https://landing.s3.cn-north-1.amazonaws.com.cn/incoming/a%20b%2B%C3%BC.ndjson"),
    ],
)
def test_addresses_of_aws_follow_from_the_region(page: Visit, region: str, address: str) -> None:
    script = f"return {STACK}.object('landing', 'incoming/a b+ü.ndjson');"
    assert run(page, "stack", script, {"region": region}) == address


def test_a_local_stack_has_one_address(page: Visit) -> None:
    given = {"region": "us-east-1", "local": {"endpoint": "http://127.0.0.1:4566"}}
    assert run(page, "stack", f"return {STACK}.object('landing', 'a');", given) == "http://127.0.0.1:4566/landing/a"


@pytest.mark.parametrize(
    ("said", "retryable"),
    [
        ({"code": "UNAVAILABLE"}, True),
        ({"code": "INTERNAL"}, True),
        ({"code": "MALFORMED"}, False),
        ({"code": "TOO_MANY_QUERIES"}, False),
        ({"code": "AGENT_FAILED", "retryable": True}, True),
        ({"code": "AGENT_FAILED", "retryable": False}, False),
        ({"code": "UNAVAILABLE", "retryable": False}, False),
    ],
)
def test_a_message_that_failed_says_whether_to_ask_again_or_its_code_does(
    page: Visit, said: dict[str, Any], *, retryable: bool
) -> None:
    given = {"type": "error", "message": "No.", "requestId": "r1", **said}
    assert run(page, "problems", "return it.answered(given).retryable;", given) is retryable


@pytest.mark.parametrize(
    ("status", "text", "code", "todo", "retryable"),
    [
        (403, '{"code": "TOKEN_EXPIRED", "message": "It ended."}', "TOKEN_EXPIRED", "Sign in again", False),
        (403, "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>", "AccessDenied", "Sign in", False),
        (403, '{"__type": "com.amazon#AccessDeniedException"}', "AccessDeniedException", "Sign in", False),
        (403, '{"message": "Forbidden"}', "HTTP 403", "Sign in", False),
        (403, "nonsense", "HTTP 403", "Sign in", False),
        (503, "", "HTTP 503", "", True),
        (429, "", "HTTP 429", "", True),
        (400, '{"__type": "com.amazonaws.dynamodb#ThrottlingException"}', "ThrottlingException", "", True),
        (400, '{"__type": "com.amazonaws.dynamodb#ValidationException"}', "ValidationException", "", False),
    ],
)
def test_a_refusal_says_what_happened_what_to_do_and_whether_it_passes(
    page: Visit, status: int, text: str, code: str, todo: str, *, retryable: bool
) -> None:
    script = "const one = it.refusal(...given); return [one.code, one.message, one.todo, one.retryable];"
    found = run(page, "problems", script, [status, text])
    assert (found[0], found[3]) == (code, retryable)
    assert found[1].startswith(f"{code}: ")
    assert todo in (found[2] or "")


@pytest.mark.parametrize(
    "text",
    [
        f"export AWS_ACCESS_KEY_ID={KEY}\nexport AWS_SECRET_ACCESS_KEY={SECRET}\nexport AWS_SESSION_TOKEN={TOKEN}",
        f'[default]\naws_access_key_id = "{KEY}"\naws_secret_access_key = {SECRET}\naws_session_token={TOKEN}\n',
    ],
)
def test_credentials_are_taken_as_aws_shows_them(page: Visit, text: str) -> None:
    found = run(page, "aws", "return it.pasted(given);", text)
    assert (found["accessKeyId"], found["secretAccessKey"]) == (KEY, SECRET)
    assert found["sessionToken"].startswith("session/token+with=")


def test_what_is_no_credentials_is_refused_without_repeating_it(page: Visit) -> None:
    script = "try { it.pasted(given); } catch (one) { return one.message + one.todo; }"
    told = run(page, "aws", script, f"my key is {SECRET}")
    assert "AWS_ACCESS_KEY_ID" in told
    assert SECRET not in told


def test_ids_are_ulids_that_sort_by_time(page: Visit) -> None:
    first, second = run(page, "ids", "return [it.ulid(given), it.ulid(given + 1)];", 1_790_000_000_000)
    assert first < second
    assert first[:10] == ulid.ulid(datetime.fromtimestamp(1_790_000_000, UTC), 0)[:10]


@pytest.mark.parametrize(("ms", "said"), [(0, "0:00"), (61_999, "1:01"), (3_723_000, "1:02:03"), (-5, "0:00")])
def test_times_are_said_as_people_say_them(page: Visit, ms: int, said: str) -> None:
    assert run(page, "words", "return it.clock(given);", ms) == said


def test_items_of_the_table_become_plain_values(page: Visit) -> None:
    item = {
        "a": {"S": "text"},
        "b": {"N": "12.5"},
        "c": {"BOOL": True},
        "d": {"NULL": True},
        "e": {"L": [{"S": "x"}, {"M": {"y": {"N": "1"}}}]},
        "f": {"SS": ["p", "q"]},
    }
    plain = {"a": "text", "b": 12.5, "c": True, "d": None, "e": ["x", {"y": 1}], "f": ["p", "q"]}
    assert run(page, "items", "return it.plainItem(given);", item) == plain


SAID = {"title": "Weekly", "participants": ["Ann"], "tags": ["team"]}


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("title", lambda over: "t" * (200 + over)),
        ("title", lambda over: " " if over else " t "),
        ("participants", lambda over: ["\N{MUSICAL SYMBOL G CLEF}" * (100 + over)]),
        ("participants", lambda over: ["p"] * (100 + over)),
        ("tags", lambda over: ["t" * (50 + over)]),
        ("tags", lambda over: ["t"] * (50 + over)),
    ],
)
def test_a_recording_that_would_be_refused_when_it_is_whole_is_not_begun(
    page: Visit, name: str, given: Callable[[int], Any], over: int
) -> None:
    said = {**SAID, name: given(over)}
    chunks = [{"name": "00000.webm", "bytes": 1, "sha256": "0" * 64}]
    whole = {"schemaVersion": 1, "startedAt": "2026-01-31T12:00:00.000Z", "chunks": chunks, **said}
    script = (
        "try { it.checked(given); return []; } catch (problem) { return [problem.constructor.name, problem.message]; }"
    )
    told = run(page, "meetings", script, said)
    if over:
        assert told[0] == "Problem"
        assert told[1].startswith(f"{name}: ")
        with pytest.raises(ValidationError):
            CompleteFile.model_validate(whole)
    else:
        assert told == []
        CompleteFile.model_validate(whole)


def test_chunks_go_in_the_order_of_their_names(page: Visit) -> None:
    script = "return it.ordered(given.map((name) => new File(['a'], name))).map((one) => one.name);"
    names = ["part 10.webm", "part 2.webm", "part 1.webm"]
    assert run(page, "meetings", script, names) == names[::-1]


UPLOADING = """
const [[asks, Sends], [puts, asked]] = [[window.fetch, window.XMLHttpRequest], [[], []]];
const told = (signing) => ({
  uploadId: "u",
  expiresSeconds: given.expires,
  multipart: { multipartId: "m", partBytes: 2, parts: [1, 2, 3].map((partNumber) => ({ partNumber, url: `${signing}/${partNumber}` })) },
});
window.fetch = async (url, { body }) => {
  asked.push(new URL(url).pathname);
  return new Response(JSON.stringify(told(asked.length)), { status: 200 });
};
window.XMLHttpRequest = class extends EventTarget {
  upload = new EventTarget();
  open(method, url) { this.url = url; }
  getResponseHeader() { return this.url; }
  send() {
    puts.push(this.url);
    this.status = given.refused.includes(this.url) ? 403 : 200;
    this.responseText = this.status === 403 ? `<Error><Code>${given.code}</Code></Error>` : "";
    this.dispatchEvent(new Event("load"));
  }
};
try {
  const { Visitor } = await import("/lib/visitor.js");
  const api = new it.Episodes({ apiUrl: "http://127.0.0.1/api", authorizer: "none" }, new Visitor({ local: null }));
  await api.upload("e", "video", new File(["12345"], "a.mp4"), "video/mp4", () => {}).catch((problem) => asked.push(problem.code));
} finally {
  [window.fetch, window.XMLHttpRequest] = [asks, Sends];
}
return [puts, asked.map((one) => one.replace("/api/episodes/e/uploads", ""))];
"""


def uploaded(page: Visit, code: str = "AccessDenied", expires: int = 3600, refused: tuple[str, ...] = ()) -> Any:
    """Where the parts of a video went, and what the API was asked; an address is told by when it was signed."""
    return run(page, "episodes", UPLOADING, {"code": code, "expires": expires, "refused": refused})


def test_a_video_goes_in_parts(page: Visit) -> None:
    assert uploaded(page) == [["1/1", "1/2", "1/3"], ["", "/u"]]


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken"])
def test_a_part_that_is_refused_goes_to_an_address_that_is_signed_anew(page: Visit, code: str) -> None:
    assert uploaded(page, code, refused=("1/2",)) == [["1/1", "1/2", "2/2", "2/3"], ["", "/u/parts", "/u"]]
    assert uploaded(page, code, refused=("1/1", "2/1")) == [["1/1", "2/1"], ["", "/u/parts", code]], "but not for ever"


def test_what_else_is_wrong_with_a_part_is_told(page: Visit) -> None:
    assert uploaded(page, "NoSuchUpload", refused=("1/1",)) == [["1/1"], ["", "NoSuchUpload"]]


def test_an_address_that_is_old_is_not_used(page: Visit) -> None:
    assert uploaded(page, expires=-1) == [["2/1", "3/2", "4/3"], ["", "/u/parts", "/u/parts", "/u/parts", "/u"]]


def test_nothing_was_asked_of_anybody_else(page: Visit) -> None:
    """Last, because it is about all of them."""
    assert page.asked == {page.url.rstrip("/")}
    assert [one for one in page.complaints if "503" not in one] == []
