"""Tests of the console's JavaScript modules in a browser: audio, captions, answers, errors, meetings and video uploads.

Results are compared with the backends' own code and with the clients of the demo flows.
"""

import base64
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mutagen.oggopus import OggOpus
from pydantic import ValidationError

from handlers.common import ids
from handlers.meetings.recording_files import CompleteFile
from local.audio_formats import decode_file
from local.emulation.speech import recognition
from local.flows.speech_clips import clip_texts, join_clips
from local.flows.transcription_client import Screen
from local.flows.word_errors import MAX_WORD_ERROR_RATE, word_error_rate
from tests.browser import ConsoleWindow
from tests.console.fake_stack import run_script

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
RATE = 16_000
OPUS_8_KHZ = {8, 9, 10, 11, 20, 21, 22, 23}
"""Opus configurations for a bandwidth of 8 kHz, which are the first bits of a packet (RFC 6716, section 3.1)."""
READ_SAMPLES = """
const pcm = new Int16Array(Uint8Array.from(atob(input), (character) => character.charCodeAt(0)).buffer);
const samples = Float32Array.from(pcm, (sample) => sample / 32768);
"""
ENCODE_SPEECH = f"""
{READ_SAMPLES}
return btoa(Array.from(await module.encodeOpus(samples, 48000), (byte) => String.fromCharCode(byte)).join(""));
"""


def test_no_word_is_lost_by_encoding_at_the_rate_of_a_microphone(window: ConsoleWindow, tmp_path: Path) -> None:
    clips, file = ("hello", "hear"), tmp_path / "utterance.ogg"
    pcm = np.frombuffer(join_clips(*clips), "<i2")
    times = np.arange(len(pcm) * 3) / 3
    at_48_khz = np.interp(times, np.arange(len(pcm)), pcm).astype("<i2")
    audio = run_script(window, "opus-encoder", ENCODE_SPEECH, base64.b64encode(at_48_khz.tobytes()).decode())
    file.write_bytes(base64.b64decode(audio))
    info: Any = OggOpus(file).info
    assert info.length == pytest.approx(len(pcm) / RATE, abs=0.05)
    first_packet_page = file.read_bytes().split(b"OggS")[3]
    segment_count = first_packet_page[22]
    assert first_packet_page[23 + segment_count] >> 3 in OPUS_8_KHZ, "the bits are spent on the sounds of speech only"
    assert file.stat().st_size < 24_000, "a base64 message must fit into one WebSocket frame of 32 KB"
    recognised = " ".join(line.text for line in recognition.recognise(decode_file(file, ["ogg"])))
    assert word_error_rate(" ".join(clip_texts(*clips)), recognised) <= MAX_WORD_ERROR_RATE, recognised


def test_resampling_keeps_the_tones_below_half_of_the_new_rate(window: ConsoleWindow) -> None:
    script = "const { samples, sampleRate } = module.resample(Float32Array.from(input), 48000, 16000); return [Array.from(samples), sampleRate];"
    for frequency, relative_power in ((6500, 1), (9000, 0)):
        tone = [math.sin(math.tau * frequency * index / 48_000) for index in range(4800)]
        samples, rate = run_script(window, "resample", script, tone)
        assert (len(samples), rate) == (1600, 16_000)
        samples = samples[100:-100]  # without the edges, where the filter's window is incomplete
        power = sum(sample * sample for sample in samples) / len(samples)
        assert power == pytest.approx(0.5 * relative_power, abs=0.01), "the mean square of a sine is 0.5"


CUT_SPEECH = """
const cutter = new module.SpeechCutter(16000);
const utterances = [];
for (let start = 0; start < samples.length; start += 640) utterances.push(...cutter.feed(samples.slice(start, start + 640)));
utterances.push(...cutter.finish());
let end = 0;
return utterances.map((utterance) => {
  let start = end;
  while (!utterance.every((sample, index) => sample === samples[start + index])) start += 1;
  end = start + utterance.length;
  return [start, end];
});
"""
"""Cut samples, in pieces as the microphone delivers them. Return the first and the last position of each utterance."""


def cut_speech(window: ConsoleWindow, pcm: bytes) -> Any:
    return run_script(window, "speech-cutter", READ_SAMPLES + CUT_SPEECH, base64.b64encode(pcm).decode())


def find_loud_samples(pcm: bytes) -> Any:
    """Return the positions of the samples that are certainly speech."""
    return np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2").astype(int)) > 0.05 * 32768)


def test_speech_is_cut_at_pauses(window: ConsoleWindow) -> None:
    """Each utterance has all speech of a clip."""
    clips = ("slowly", "hear", "moon")
    utterances = cut_speech(window, join_clips(*clips))
    assert len(utterances) == len(clips)
    clip_start = 0
    loud = find_loud_samples(join_clips(*clips))
    for number, (start, end) in enumerate(utterances, 1):
        clip_end = len(join_clips(*clips[:number])) // 2
        own = loud[(loud >= clip_start) & (loud < clip_end)]
        assert start <= own[0] < own[-1] < end <= clip_end
        clip_start = clip_end


def test_long_speech_is_cut_without_loss(window: ConsoleWindow) -> None:
    pcm = join_clips("hello", "speaking", "final", pause_seconds=0.1)
    utterances = cut_speech(window, pcm)
    assert len(utterances) > 1
    assert max(end - start for start, end in utterances) <= 5 * RATE, "an utterance lasts at most five seconds"
    assert [end for _, end in utterances[:-1]] == [start for start, _ in utterances[1:]]
    loud = find_loud_samples(pcm)
    assert utterances[0][0] <= loud[0] < loud[-1] < utterances[-1][1]


def test_neither_a_click_nor_a_quiet_hum_is_an_utterance(window: ConsoleWindow) -> None:
    click = np.concatenate([np.zeros(RATE), np.full(200, 0.5), np.zeros(RATE)])
    hum = 0.004 * np.sin(np.arange(2 * RATE) / 3)
    pcm = (np.concatenate([click, hum]) * 32768).astype("<i2").tobytes()
    assert cut_speech(window, pcm) == []


def test_a_page_without_a_platform_shows_how_to_start_one(window: ConsoleWindow) -> None:
    error = window.page.locator("#fatal")
    assert "make up" in error.inner_text()
    assert error.get_attribute("role") == "alert"


def caption(utterance: str, result: str, text: str, attempt: int = 1, **fields: Any) -> dict[str, Any]:
    """Return the message with one caption, which replaces that of the same result."""
    defaults = {"sequence": int(utterance[1:]), "attempt": attempt, "startMs": 0, "endMs": 100, "final": False}
    return {"type": "caption", "utterance": utterance, "resultId": result, "text": text, **defaults, **fields}


def test_the_page_shows_the_same_captions_as_the_client_of_the_demo_flow(window: ConsoleWindow) -> None:
    """A higher attempt removes the lines of lower attempts, an empty text one line, and the end all lines that are not final."""
    messages: list[dict[str, Any]] = [
        caption("u2", "a", "second"),
        caption("u1", "a", "fir"),
        caption("u1", "a", "first", final=True),
        caption("u3", "a", "gone"),
        caption("u3", "a", ""),
        caption("u2", "b", "second, later", 2, final=True),
        caption("u2", "a", "late words of the first attempt"),
        {"type": "done", "utterance": "u2", "attempt": 1},
        caption("u2", "c", "more", 2, startMs=50),
        {"type": "failed", "utterance": "u4", "attempt": 1, "retryable": True},
        caption("u5", "a", "cut"),
        caption("u5", "b", "given up,", startMs=50, final=True),
        {"type": "failed", "utterance": "u5", "attempt": 1, "retryable": False},
        caption("u6", "a", "not final"),
        {"type": "accepted", "utterance": "u6", "attempt": 2, "done": True},
        caption("u6", "a", "late", 3),
        caption("u7", "a", "only in the first attempt", final=True),
        {"type": "done", "utterance": "u7", "attempt": 2},
    ]
    screen = Screen()
    for message in messages:
        screen.apply(message)
    script = """
    const captions = new module.CaptionLines();
    for (const message of input) captions.apply(message);
    return captions.lines.map((line) => line.text);
    """
    assert run_script(window, "caption-lines", script, messages) == screen.text()
    assert screen.text() == ["first", "second, later", "more", "given up,"]


def piece(number: int, kind: str, attempt: int = 1, **fields: Any) -> dict[str, Any]:
    """Return the message with one numbered piece of an answer."""
    return {"queryId": "q", "type": kind, "number": number, "attempt": attempt, "format": "ogg-opus", **fields}


def test_an_answer_is_assembled_from_pieces_in_any_order(window: ConsoleWindow) -> None:
    """A failed answer starts again with the next attempt, whose pieces replace those of the last attempt."""
    script = """
    const answer = new module.Answer();
    return input.map((message) => [answer.add(message), answer.firstMissing, answer.isComplete, answer.text, answer.question,
      answer.audioFiles.map((bytes) => new TextDecoder().decode(bytes))]);
    """
    pieces = [
        piece(0, "text", text="Wrong"),
        piece(3, "audio", 2, audio=base64.b64encode(b"two").decode()),
        piece(1, "text", text=" again"),
        piece(0, "transcript", 2, text="what?"),
        piece(5, "text", 2, text="!"),
        piece(1, "text", 2, text="A lecture"),
        piece(2, "audio", 2, audio=base64.b64encode(b"one").decode()),
        piece(1, "text", 2, text="A lecture"),
        {"type": "answered", "queryId": "q", "attempt": 2, "pieces": 6},
        piece(4, "citation", 2, startMs=1, endMs=2, quote="it"),
    ]
    states = run_script(window, "answer", script, pieces)
    assert [bool(is_restarted) for is_restarted, *_ in states] == [False, True, *[False] * 8]
    assert states[-2][1:] == [4, False, "A lecture!", "what?", ["one", "two"]]
    assert states[-1][2] is True


def test_the_url_of_an_object_has_the_endpoint_of_the_stacks_region_or_emulator(window: ConsoleWindow) -> None:
    script = "return new module.Stack({ region: input[0] }, input[1]).objectUrl('landing', 'incoming/a b+ü.ndjson');"
    for region, local, url in (
        ("eu-west-1", None, "https://landing.s3.eu-west-1.amazonaws.com"),
        ("cn-north-1", None, "https://landing.s3.cn-north-1.amazonaws.com.cn"),
        ("us-east-1", {"endpoint": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566/landing"),
    ):
        assert run_script(window, "stack", script, [region, local]) == f"{url}/incoming/a%20b%2B%C3%BC.ndjson"


def test_the_field_retryable_of_an_error_message_has_precedence_over_its_code(window: ConsoleWindow) -> None:
    messages = [
        {"code": "UNAVAILABLE"},
        {"code": "AGENT_FAILED", "retryable": True},
        {"code": "MALFORMED"},
        {"code": "UNAVAILABLE", "retryable": False},
    ]
    script = "return input.map((fields) => module.problemFromMessage({ message: 'No.', ...fields }).retryable);"
    assert run_script(window, "problems", script, messages) == [True, True, False, False]


@pytest.mark.parametrize(
    ("status", "body", "code", "advice", "retryable"),
    [
        (403, '{"code": "TOKEN_EXPIRED", "message": "It ended."}', "TOKEN_EXPIRED", "Sign in again", False),
        (403, "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>", "AccessDenied", "Sign in", False),
        (403, '{"__type": "com.amazon#AccessDeniedException"}', "AccessDeniedException", "Sign in", False),
        (403, '{"message": "Forbidden"}', "HTTP 403", "Sign in", False),
        (503, "", "HTTP 503", "", True),
        (429, "", "HTTP 429", "", True),
        (400, '{"__type": "com.amazonaws.dynamodb#ThrottlingException"}', "ThrottlingException", "", True),
        (400, '{"__type": "com.amazonaws.dynamodb#ValidationException"}', "ValidationException", "", False),
    ],
)
def test_an_error_response_gives_code_advice_and_retryability(
    window: ConsoleWindow, status: int, body: str, code: str, advice: str, *, retryable: bool
) -> None:
    script = "const problem = module.problemFromResponse(...input); return { ...problem, message: problem.message };"
    problem = run_script(window, "problems", script, [status, body])
    assert (problem["code"], problem["retryable"]) == (code, retryable)
    assert code not in problem["message"], "the page shows sentences instead of codes"
    assert advice in (problem["todo"] or "")


def test_wrong_fields_and_a_wrong_type_of_file_are_explained_in_sentences(window: ConsoleWindow) -> None:
    fields = [{"field": "title", "rule": "is required"}, {"field": "", "rule": "name at least one field to change"}]
    body = json.dumps({"code": "MALFORMED", "message": "The request is malformed.", "fields": fields})
    message = run_script(window, "problems", "return module.problemFromResponse(400, input).message;", body)
    assert message == "The request is malformed. title is required. name at least one field to change."
    script = "try { module.contentType('transcript', { name: 'a.txt' }); } catch (problem) { return problem.todo; }"
    assert run_script(window, "livestream-api", script) == "Choose a file that ends with .srt, .vtt, .json."


def test_credentials_are_parsed_as_the_aws_console_and_cli_print_them(window: ConsoleWindow) -> None:
    key, secret, token = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session/token+with=signs"
    texts = [
        f"export AWS_ACCESS_KEY_ID={key}\nexport AWS_SECRET_ACCESS_KEY={secret}\nexport AWS_SESSION_TOKEN={token}",
        f'[default]\naws_access_key_id = "{key}"\naws_secret_access_key = {secret}\naws_session_token={token}\n',
    ]
    keys = {"accessKeyId": key, "secretAccessKey": secret, "sessionToken": token}
    assert run_script(window, "aws-requests", "return input.map(module.parseCredentials);", texts) == [keys] * 2
    script = "try { module.parseCredentials(input); } catch (problem) { return problem.message + problem.todo; }"
    error = run_script(window, "aws-requests", script, f"my key is {secret}")
    assert "AWS_ACCESS_KEY_ID" in error
    assert secret not in error


def test_ids_are_ulids_that_sort_by_time(window: ConsoleWindow) -> None:
    first, second = run_script(window, "ids", "return [module.ulid(input), module.ulid(input + 1)];", 1_790_000_000_000)
    assert first < second
    assert first[:10] == ids.ulid(datetime.fromtimestamp(1_790_000_000, UTC), 0)[:10], "ten characters are the time"


@pytest.mark.parametrize(
    ("name", "make_value"),
    [
        ("title", lambda excess: "t" * (200 + excess)),
        ("title", lambda excess: " " if excess else " t "),  # blank or not
        ("participants", lambda excess: ["\N{MUSICAL SYMBOL G CLEF}" * (100 + excess)]),
        ("participants", lambda excess: ["p"] * (100 + excess)),
        ("tags", lambda excess: ["t" * (50 + excess)]),
        ("tags", lambda excess: ["t"] * (50 + excess)),
    ],
)
def test_invalid_details_are_refused_before_the_upload_as_the_backend_would_refuse_them(
    window: ConsoleWindow, name: str, make_value: Callable[[int], Any]
) -> None:
    """Each value is valid without the excess, and invalid with it."""
    chunks = [{"name": "00000.webm", "bytes": 1, "sha256": "0" * 64}]
    script = "try { module.validateDetails(input); return ''; } catch (problem) { return problem.message; }"
    for excess in (0, 1):
        details = {"title": "Weekly", "participants": ["Ann"], "tags": ["team"], name: make_value(excess)}
        complete = {"schemaVersion": 1, "startedAt": "2026-01-31T12:00:00.000Z", "chunks": chunks, **details}
        error = run_script(window, "meetings-api", script, details)
        if excess:
            assert error.startswith(f"{name}: ")
            with pytest.raises(ValidationError):
                CompleteFile.model_validate(complete)
        else:
            assert error == ""
            CompleteFile.model_validate(complete)


def test_chunks_are_sorted_by_name_with_numbers_in_order(window: ConsoleWindow) -> None:
    script = "return module.sortChunks(input.map((name) => new File(['a'], name))).map((file) => file.name);"
    names = ["part 10.webm", "part 2.webm", "part 1.webm"]
    assert run_script(window, "meetings-api", script, names) == names[::-1]


def test_a_filter_matches_exactly_the_meetings_with_the_name(window: ConsoleWindow) -> None:
    matching = [{}, {"participant": " bob "}, {"tag": "TEAM"}, {"participant": "Bob", "tag": "team"}]
    not_matching = [{"participant": "Bo"}, {"participant": "Bob", "tag": "Ann"}]
    script = """
    const record = { participants: ["Ann", "Bob"], tags: ["team"] };
    return input.map((wanted) => module.matchesFilter(record, wanted));
    """
    matches = run_script(window, "meetings-api", script, matching + not_matching)
    assert matches == [True] * len(matching) + [False] * len(not_matching)


UPLOAD_VIDEO = """
const [realFetch, RealXMLHttpRequest] = [window.fetch, window.XMLHttpRequest];
const [puts, apiCalls] = [[], []];
// The URL of a part or form starts with the number of the API call that signed it.
const respond = (requestNumber) => ({
  uploadId: "u",
  expiresSeconds: input.expires,
  ...(input.isForm
    ? { form: { url: `${requestNumber}/form`, fields: {} } }
    : { multipart: { partBytes: 2, urls: [1, 2, 3].map((partNumber) => `${requestNumber}/${partNumber}`) } }),
});
window.fetch = async (url, { body }) => {
  apiCalls.push(new URL(url).pathname);
  return new Response(JSON.stringify(respond(apiCalls.length)), { status: 200 });
};
window.XMLHttpRequest = class extends EventTarget {
  upload = new EventTarget();
  open(method, url) { this.url = url; }
  getResponseHeader() { return this.url; }
  send() {
    puts.push(this.url);
    this.status = input.refused.includes(this.url) ? input.status : 200;
    this.responseText = this.status === 200 ? "" : `<Error><Code>${input.code}</Code></Error>`;
    this.dispatchEvent(new Event(this.status ? "load" : "error"));
  }
};
try {
  const { Visitor } = await import("/lib/visitor.js");
  const api = new module.LivestreamApi({ apiUrl: "http://127.0.0.1/api", authorizer: "none" }, new Visitor({ local: null }));
  await api.upload("e", "video", new File(["12345"], "a.mp4"), "video/mp4", () => {}).catch((problem) => apiCalls.push(problem.code));
} finally {
  [window.fetch, window.XMLHttpRequest] = [realFetch, RealXMLHttpRequest];
}
return [puts, apiCalls.map((call) => call.replace("/api/episodes/e/uploads", ""))];
"""


S3_STATUSES = {"AccessDenied": 403, "ExpiredToken": 400, "NoSuchUpload": 404, "EntityTooLarge": 400, "UNREACHABLE": 0}
"""HTTP status of S3's error codes (Amazon S3 API reference, "Error responses"), and 0 for a closed connection."""


def upload_video(
    window: ConsoleWindow,
    code: str = "AccessDenied",
    expires: int = 3600,
    refused: tuple[str, ...] = (),
    *,
    is_form: bool = False,
) -> Any:
    """Upload a video of three parts. S3 refuses the URLs in `refused` with an error code.

    Return the URLs of the uploads, `<number of the API call that signed it>/<part>`, and the paths of the API calls. If
    the upload fails, the paths end with the error code.
    """
    argument = {"code": code, "status": S3_STATUSES[code], "expires": expires, "refused": refused, "isForm": is_form}
    return run_script(window, "livestream-api", UPLOAD_VIDEO, argument)


def test_a_video_is_uploaded_in_parts_and_completed_or_with_one_form(window: ConsoleWindow) -> None:
    assert upload_video(window) == [["1/1", "1/2", "1/3"], ["", "/u"]]
    assert upload_video(window, is_form=True) == [["1/form"], [""]]


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken", "UNREACHABLE"])
def test_a_refused_part_or_form_is_uploaded_again_to_one_new_url(window: ConsoleWindow, code: str) -> None:
    assert upload_video(window, code, refused=("1/2",)) == [["1/1", "1/2", "2/2", "2/3"], ["", "/u/parts", "/u"]]
    assert upload_video(window, code, refused=("1/1", "2/1")) == [["1/1", "2/1"], ["", "/u/parts", code]]
    assert upload_video(window, code, refused=("1/form",), is_form=True) == [["1/form", "2/form"], ["", ""]]
    both_forms = ["1/form", "2/form"]
    assert upload_video(window, code, refused=tuple(both_forms), is_form=True) == [both_forms, ["", "", code]]


def test_other_errors_of_a_form_or_part_end_the_upload(window: ConsoleWindow) -> None:
    for code, url, is_form in (("EntityTooLarge", "1/form", True), ("NoSuchUpload", "1/1", False)):
        assert upload_video(window, code, refused=(url,), is_form=is_form) == [[url], ["", code]]


def test_an_expired_url_is_replaced_before_use(window: ConsoleWindow) -> None:
    assert upload_video(window, expires=-1) == [["2/1", "3/2", "4/3"], ["", "/u/parts", "/u/parts", "/u/parts", "/u"]]
