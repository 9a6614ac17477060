"""Transcripts in SRT, WebVTT and the JSON of Amazon Transcribe are read as cues (timed lines).

Every other file is refused with a problem, which does not quote the file.
"""

import codecs
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.livestream import transcript
from handlers.livestream.transcript import BadTranscript, Cue, TranscriptProblem, read_transcript
from tests.handlers.livestream.broadcast import srt, webvtt

CANARY = "canary"  # text that must not appear in the problem of a refused file
CUES = (
    Cue(0, 1_500, "Good evening."),
    Cue(1_500, 4_000, "We ran 600 ferries last spring, R&D <included>."),
    Cue(3_600_000, 3_601_001, "Naïve? Ça va — 東京。"),
)
WEBVTT_CUE = "WEBVTT\n\n00:00.000 --> 00:01.000\n"
SRT_CUE = "1\n00:00:00,000 --> 00:00:01,000\n"


def read(text: str) -> tuple[Cue, ...]:
    return read_transcript(text.encode())


def problem(data: bytes | str) -> TranscriptProblem:
    """Return the problem for which a file is refused."""
    with pytest.raises(BadTranscript) as caught:
        read_transcript(data.encode() if isinstance(data, str) else data)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "the original exception may contain the text"
    assert str(caught.value) == caught.value.problem.value
    return caught.value.problem


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", codecs.BOM_UTF8])
def test_subtitles_are_read_with_any_line_end_and_with_or_without_a_byte_order_mark(line_end: str, bom: bytes) -> None:
    for write in (srt, webvtt):
        assert read_transcript(bom + write(CUES, line_end).encode()) == CUES


@given(st.binary(max_size=400) | st.text(max_size=300).map(str.encode))
@example(b"1\n00:00:00,000 --> 99999999999999:00:00,000\nx")
@example(b"\n00:01.000 --> 00:02.000\n<v" + b"." * 5_000)
@example(b"\nREGION\nid:\n\nSTYLE\n\n\xd9\xa1:00.000 --> 00:01.000 line:x\n")
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for header in ("", "WEBVTT\n", WEBVTT_CUE, SRT_CUE, '{"results": '):
        try:
            cues = read_transcript(header.encode() + data)
        except BadTranscript:
            continue
        assert cues
        for cue in cues:
            assert cue.text
            assert "\n" not in cue.text
            assert 0 <= cue.start_ms <= cue.end_ms <= transcript.MAX_MS


@pytest.mark.parametrize(
    ("text", "cues"),
    [
        (
            f"\n\n{SRT_CUE}one\n\nand a line more\n\n12\n1:00:03.000 --> 1:00:04,000 X1:1 X2:2\ntwo",
            (Cue(0, 1_000, "one and a line more"), Cue(3_603_000, 3_604_000, "two")),
        ),
        (
            f'{SRT_CUE}{{\\an8}}<i>It</i> <font color="red">was</font> {{b}}1 < 2{{/b}}, a <b> b &amp; c',
            (Cue(0, 1_000, "It was 1 < 2, a b &amp; c"),),
        ),
        (f"{SRT_CUE}A --> B is how it goes\n", (Cue(0, 1_000, "A --> B is how it goes"),)),
        (
            "WEBVTT\nKind: captions\n00:01.000 --> 00:02.000\nThe moon\nis flat.\n00:02.000 --> 00:03.000\nIs it?",
            (Cue(1_000, 2_000, "The moon is flat."), Cue(2_000, 3_000, "Is it?")),
        ),
        (
            (
                "WEBVTT\n\nSTYLE\n::cue { color: red }\n\nNOTE\nnot this\n\nREGION\nid:a\n\n"
                "intro\n00:00:01.000 --> 00:00:02.000 position:10%\n"
                "<c.loud>Hear</c>, <00:00:01.500><b>hear</b> &amp; <ruby>see<rt>x</rt></ruby>&nbsp;it\n\n"
                "nonsense that is no cue\n"
            ),
            (Cue(1_000, 2_000, "Hear, hear & seex it"),),
        ),
        (
            f"{WEBVTT_CUE}- <v.loud Ann>Yes.</v>\n<v Bob &amp; Co>No.\nNever.",
            (Cue(0, 1_000, "-"), Cue(0, 1_000, "Yes.", "Ann"), Cue(0, 1_000, "No. Never.", "Bob & Co")),
        ),
        (f"{SRT_CUE}a\u0007b\u2028c\u0301 \u00a0 d", (Cue(0, 1_000, "ab \u0107 d"),)),
        (f"{WEBVTT_CUE}<v {'Ann ' * 50}>Hi", (Cue(0, 1_000, "Hi", ("Ann " * 25).strip()),)),
    ],
    ids=["srt", "srt-styles", "arrow", "no-empty-line", "webvtt-blocks", "voices", "cleaned", "long-speaker"],
)
def test_a_subtitle_file_is_read_without_its_markup(text: str, cues: tuple[Cue, ...]) -> None:
    assert read(text) == cues


def word(text: str, start: str, end: str) -> dict[str, object]:
    """Return a word as in the output of a Transcribe job."""
    return {"type": "pronunciation", "start_time": start, "end_time": end, "alternatives": [{"content": text}]}


def job_output(items: list[dict[str, object]]) -> str:
    return json.dumps({"results": {"items": items}})


def mark(text: str) -> dict[str, object]:
    """Return a punctuation mark as in the output of a Transcribe job."""
    return {"type": "punctuation", "alternatives": [{"content": text}]}


def test_transcribe_words_are_joined_to_sentences_of_one_speaker_without_a_pause_or_an_earlier_word() -> None:
    items = [
        *(mark("."), word("Yes", "0.0", "0.5"), mark(","), word("sir", "0.5", "0.6"), word("No", "0.6", "1.0")),
        *(word("Well", "9", "9.25"), word("then", "9.3", "9.5"), mark("."), word("So", "9.5", "9.75"), mark("!")),
        *(word("early", "0.5", "0.6"), word("late", "2.1", "2.2"), word("later", "3.701", "4")),
    ]
    for item in items:
        if item["type"] == "pronunciation":
            item["speaker_label"] = "spk_1" if item["start_time"] in {"0.6", "9", "9.3", "9.5"} else "spk_0"
    assert read(job_output(items)) == (
        Cue(0, 600, "Yes, sir", "spk_0"),
        Cue(500, 2_200, "early late", "spk_0"),
        Cue(600, 1_000, "No", "spk_1"),
        Cue(3_701, 4_000, "later", "spk_0"),
        Cue(9_000, 9_500, "Well then.", "spk_1"),
        Cue(9_500, 9_750, "So!", "spk_1"),
    )


def test_transcribe_words_without_punctuation_are_split() -> None:
    cues = read(job_output([word("word", f"{second}.0", f"{second}.9") for second in range(200)]))
    assert " ".join(cue.text for cue in cues) == " ".join(["word"] * 200)
    assert 200 < max(len(cue.text) for cue in cues) <= 300


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", TranscriptProblem.EMPTY),
        (b" \n\t\n", TranscriptProblem.EMPTY),
        (b"WEBVTT", TranscriptProblem.EMPTY),
        (f"{SRT_CUE}<i></i>\n".encode(), TranscriptProblem.EMPTY),
        (b'{"results": {"items": []}}', TranscriptProblem.EMPTY),
        (f"Hi {CANARY}".encode("utf-16"), TranscriptProblem.NOT_TEXT),
        (f"Grüezi {CANARY}".encode("latin-1"), TranscriptProblem.NOT_TEXT),
        (f"{CANARY}\0".encode(), TranscriptProblem.NOT_TEXT),
        (f'<?xml version="1.0"?><tt>{CANARY}</tt>'.encode(), TranscriptProblem.OTHER_FORMAT),
        (f"A transcript without times {CANARY}.".encode(), TranscriptProblem.OTHER_FORMAT),
        (f"WEBVTTX is no header. {CANARY}".encode(), TranscriptProblem.OTHER_FORMAT),
        (f'{{"text": "{CANARY}"}}'.encode(), TranscriptProblem.MALFORMED),
        (f"{CANARY}\n\n{SRT_CUE}Hi".encode(), TranscriptProblem.MALFORMED),
        (f"{WEBVTT_CUE}&#{'9' * 5_000};".encode(), TranscriptProblem.MALFORMED),
        (f"{WEBVTT_CUE}<v &#{'9' * 5_000}>Hi".encode(), TranscriptProblem.MALFORMED),
        (job_output([word("Hi", "900000.0", "900000.0")]).encode(), TranscriptProblem.BAD_TIMES),
        (f"{WEBVTT_CUE}Hi\nA --> B\n{CANARY}".encode(), TranscriptProblem.BAD_TIMES),
        (f"{SRT_CUE}Hi\n\n00:00:01,000 --> 00:00:02,000\n{CANARY}".encode(), TranscriptProblem.BAD_TIMES),
    ],
)
def test_an_invalid_transcript_is_refused_with_its_problem(data: bytes, expected: TranscriptProblem) -> None:
    assert problem(data) is expected


def test_a_cue_with_invalid_times_is_never_skipped() -> None:
    for times in (
        *("-00:00:01,000 --> 00:00:02,000", "00:00:02,000 --> 00:00:01,000", "00:60:00,000 --> 00:60:01,000"),
        *("00:00:60,000 --> 00:00:61,000", "25:00:00,000 --> 25:00:01,000", "00:00:01,000 -->"),
        *("00:00:01,000 --> later", "00:00:01,0000 --> 00:00:02,000"),
    ):
        assert problem(f"{SRT_CUE}Hi\n\n2\n{times}\nHo") is TranscriptProblem.BAD_TIMES
        assert problem(f"{WEBVTT_CUE}Hi\n\n{times.replace(',', '.')}\nHo") is TranscriptProblem.BAD_TIMES


@pytest.mark.parametrize(
    ("limit", "value", "text"),
    [
        ("MAX_CUES", 2, srt([Cue(0, 1, "a")] * 2)),
        ("MAX_CUES", 3, WEBVTT_CUE + "<v Ann>a<v Bob>b<v Ann>c"),
        ("MAX_SUBTITLE_LINES", 3, f"{WEBVTT_CUE}a"),
        ("MAX_CHARACTERS", 4, srt([Cue(0, 1, "aa")] * 2)),
        ("MAX_OBJECT_BYTES", len(f"{WEBVTT_CUE}a"), f"{WEBVTT_CUE}a"),
    ],
)
def test_a_transcript_above_a_limit_is_refused(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int, text: str
) -> None:
    monkeypatch.setattr(transcript, limit, value)
    assert read(text)
    monkeypatch.setattr(transcript, limit, value - 1)
    assert problem(text) is TranscriptProblem.TOO_LARGE


@pytest.mark.parametrize("written", ["a" * 2_001, f"a{' ' * 20_000}b", "<b></b>" * 5_000 + "a", "<v Ann>a</v>" * 5_000])
def test_a_cue_with_too_many_characters_is_refused_even_if_few_remain_after_cleaning(written: str) -> None:
    for header in (WEBVTT_CUE, SRT_CUE):
        assert problem(header + written) is TranscriptProblem.TOO_LONG_CUE
        assert read(header + "a" * 2_000)


def test_a_cue_of_endless_punctuation_is_refused_before_the_rest_is_read() -> None:
    items = [word("Hi", "0", "1"), *[mark("," * 900)] * 10_000, word("Hi", "never", "1")]
    assert problem(job_output(items)) is TranscriptProblem.TOO_LONG_CUE, "the invalid time must not be reached"


def test_unclosed_voice_tags_are_parsed_quickly() -> None:
    # With backtracking over the blanks before the name, this would take a quarter of an hour.
    open_voice = "<v" + " " * (transcript.MAX_WRITTEN_CHARACTERS - 3) + "x"
    cues = read("WEBVTT\n\n" + f"00:01.000 --> 00:02.000\n{open_voice}\n\n" * 500)
    assert {cue.text for cue in cues} == {"<v x"}
