"""Transcripts in SRT, WebVTT and the JSON of Amazon Transcribe are read as cues (timed lines).

Every other file is refused with a problem, which does not quote the file.
"""

import codecs
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.livestream.transcript import cues as limits
from handlers.livestream.transcript.cues import BadTranscript, Cue, TranscriptProblem
from handlers.livestream.transcript.transcript_reader import ParsedTranscript, TranscriptFormat, read_transcript
from tests.handlers.livestream.transcript_file_writers import srt, transcribe, webvtt

CANARY = "canary"
"""Text that must not appear in the problem of a refused file."""
CUES = (
    Cue(0, 1_500, "Good evening."),
    Cue(1_500, 4_000, "We ran 600 ferries last spring, R&D <included>."),
    Cue(3_600_000, 3_601_001, "Naïve? Ça va — 東京。"),
)
WORDS = st.lists(st.text("abcdefghijklmnopqrstuvwxyzäéßЖж東京", min_size=1, max_size=12), min_size=1, max_size=8)


def sentences(speakers: st.SearchStrategy[str | None]) -> st.SearchStrategy[tuple[Cue, ...]]:
    """Return a strategy for consecutive cues of one sentence each."""
    part = st.tuples(st.integers(0, 5_000), st.integers(0, 20_000), WORDS, speakers)

    def cues(parts: list[tuple[int, int, list[str], str | None]]) -> tuple[Cue, ...]:
        end_ms, result = -1, []
        for gap_ms, duration_ms, words, speaker in parts:
            start_ms = end_ms + 1 + gap_ms
            end_ms = start_ms + duration_ms
            result.append(Cue(start_ms, end_ms, " ".join(words) + ".", speaker))
        return tuple(result)

    return st.lists(part, min_size=1, max_size=12).map(cues)


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
    assert read_transcript(bom + srt(CUES, line_end).encode()) == ParsedTranscript(TranscriptFormat.SRT, CUES)
    assert read_transcript(bom + webvtt(CUES, line_end).encode()) == ParsedTranscript(TranscriptFormat.WEBVTT, CUES)


@given(sentences(st.none()), sentences(st.sampled_from([None, "Ann", "Dr. Bob Ö"])))
def test_written_cues_are_read_back(cues: tuple[Cue, ...], cues_with_speakers: tuple[Cue, ...]) -> None:
    assert read_transcript(srt(cues).encode()) == ParsedTranscript(TranscriptFormat.SRT, cues)
    for write, expected_format in ((webvtt, TranscriptFormat.WEBVTT), (transcribe, TranscriptFormat.TRANSCRIBE)):
        result = read_transcript(write(cues_with_speakers).encode())
        assert result == ParsedTranscript(expected_format, cues_with_speakers)


@given(st.binary(max_size=400))
@example(b"")
@example(b"1\n00:00:00,000 --> 99999999999999:00:00,000\nx")
@example(b"[" * 100_000)
@example(b'{"results":' * 20_000)
@example(b'{"results":{"items":[{"type":"pronunciation","alternatives":[{"content":"\\ud800"}]}]}}')
@example(b'{"results":{"items":[{"start_time":' + b"9" * 5_000 + b"}]}}")
@example(b"WEBVTT\n\n00:00.000 --> 00:01.000\n<v" + b"." * 5_000)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        result = read_transcript(data)
    except BadTranscript:
        return
    assert result.cues


@given(st.text(max_size=300))
@example("<v Ann>Hi</v>")
@example("00:00.000 --> 00:01.000\n\x00")
def test_any_text_after_a_header_is_read_or_refused(text: str) -> None:
    for header in ("", "WEBVTT\n\n00:00.000 --> 00:01.000\n", "1\n00:00:00,000 --> 00:00:01,000\n", '{"results": '):
        try:
            result = read_transcript((header + text).encode())
        except BadTranscript:
            continue
        for cue in result.cues:
            assert cue.text
            assert "\n" not in cue.text
            assert 0 <= cue.start_ms <= cue.end_ms <= limits.MAX_MS


def test_the_content_decides_the_format() -> None:
    assert read_transcript(b"WEBVTT\n\n1\n00:01.000 --> 00:02.000\nHi").format is TranscriptFormat.WEBVTT
    assert read_transcript(b"\n\n1\n00:00:01,000 --> 00:00:02,000\nHi").format is TranscriptFormat.SRT
    assert read_transcript(b' {"results": {"items": [%s]}}' % json.dumps(word("Hi", "0", "1")).encode()).format is (
        TranscriptFormat.TRANSCRIBE
    )


def test_srt_without_numbers_or_hours_is_read() -> None:
    result = read_transcript(
        b"00:01.5 --> 00:02,50\none\n\nand a line more\n\n12\n1:00:03.000 --> 1:00:04.000 X1:1 X2:2\ntwo"
    )
    assert result.cues == (Cue(1_500, 2_500, "one and a line more"), Cue(3_603_000, 3_604_000, "two"))


def test_srt_styles_are_removed_and_other_brackets_stay() -> None:
    text = '{\\an8}<i>It</i> <font color="red">was</font> {b}1 < 2{/b}, a <b> b'
    assert read_transcript(f"1\n00:00:00,000 --> 00:00:01,000\n{text}".encode()).cues[0].text == "It was 1 < 2, a b"


def test_webvtt_styles_comments_and_settings_are_removed() -> None:
    text = """WEBVTT
Kind: captions

STYLE
::cue { color: red }

NOTE
00:00:00.000 --> 00:00:01.000
not this

REGION
id:a

intro
00:00:01.000 --> 00:00:02.000 position:10%
<c.loud>Hear</c>, <00:00:01.500><b>hear</b> &amp; <ruby>see<rt>x</rt></ruby>&nbsp;it

nonsense that is no cue
"""
    assert read_transcript(text.encode()).cues == (Cue(1_000, 2_000, "Hear, hear & seex it"),)


FIRST_TIMES, SECOND_TIMES = "00:00.000 --> 00:02.000", "00:02.000 --> 00:04.000 align:start position:0%"
TIMED_CUES = (Cue(0, 2_000, "The moon is flat."), Cue(2_000, 4_000, "No it is not."))


@pytest.mark.parametrize(
    "text",
    [
        f"WEBVTT\n{FIRST_TIMES}\nThe moon is flat.\n\n{SECOND_TIMES}\nNo it is not.\n",
        f"WEBVTT\nKind: captions\nLanguage: en\n{FIRST_TIMES}\nThe moon is flat.\n\n{SECOND_TIMES}\nNo it is not.\n",
        f"WEBVTT\n\n{FIRST_TIMES}\nThe moon is flat.\n{SECOND_TIMES}\nNo it is not.\n",
        f"WEBVTT\n\n1\n{FIRST_TIMES}\nThe moon is flat.\n2\n{SECOND_TIMES}\nNo it is not.\n",
        f"WEBVTT\n \n1\n{FIRST_TIMES}\nThe moon is flat.\n \n2\n{SECOND_TIMES}\nNo it is not.\n \n",
        f"WEBVTT\n\n{FIRST_TIMES}\n \nThe moon is flat.\n\n{SECOND_TIMES}\nNo it\n\t\nis not.\n \n",
        f"WEBVTT\n\nNOTE a word\n \n{FIRST_TIMES}\nThe moon is flat.\n\nNOTE\n\n{SECOND_TIMES}\nNo it is not.",
        f"WEBVTT\n\n{FIRST_TIMES}\n{FIRST_TIMES}\nThe moon is flat.\n\nintro\n{SECOND_TIMES}\nNo it is not.",
    ],
)
def test_webvtt_cues_end_at_empty_lines_and_at_the_times_of_the_next_cue(text: str) -> None:
    assert read_transcript(text.encode()).cues == TIMED_CUES


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        (f"WEBVTT\n\n{FIRST_TIMES}\nA --> B is how it goes\n", ["A --> B is how it goes"]),
        (f"WEBVTT\n\n{FIRST_TIMES}\n42\n{SECOND_TIMES}\nIs it?", ["42", "Is it?"]),
    ],
    ids=["arrow", "number"],
)
def test_text_that_resembles_times_or_cue_numbers_is_kept(text: str, texts: list[str]) -> None:
    assert [cue.text for cue in read_transcript(text.encode()).cues] == texts


def test_each_voice_of_a_webvtt_cue_becomes_a_cue() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n- <v.loud Ann>Yes.</v>\n<v Bob &amp; Co>No.\nNever."
    assert read_transcript(text.encode()).cues == (
        Cue(1_000, 2_000, "-"),
        Cue(1_000, 2_000, "Yes.", "Ann"),
        Cue(1_000, 2_000, "No. Never.", "Bob & Co"),
    )


def test_cues_are_sorted_by_start_time_and_may_overlap() -> None:
    cues = (Cue(5_000, 6_000, "c"), Cue(1_000, 9_000, "a"), Cue(2_000, 3_000, "b"))
    assert [cue.text for cue in read_transcript(srt(cues).encode()).cues] == ["a", "b", "c"]


def word(text: str, start: str, end: str) -> dict[str, object]:
    """Return a word as in the output of a Transcribe job."""
    return {"type": "pronunciation", "start_time": start, "end_time": end, "alternatives": [{"content": text}]}


def job_output(items: list[dict[str, object]], **results: object) -> str:
    return json.dumps({"results": {"items": items, **results}})


def test_transcribe_words_are_split_at_a_new_speaker_and_at_a_pause() -> None:
    texts = [word("Yes", "0.0", "0.5"), word("No", "0.6", "1.0"), word("Well", "9", "9.25"), word("then", "9.3", "9.5")]
    turns = [
        {"items": [{"start_time": "0.0", "speaker_label": "spk_0"}]},
        {"items": [{"start_time": end_time, "speaker_label": "spk_1"} for end_time in ("0.6", "9", "9.3")]},
    ]
    assert read_transcript(job_output(texts, speaker_labels={"segments": turns}).encode()).cues == (
        Cue(0, 500, "Yes", "spk_0"),
        Cue(600, 1_000, "No", "spk_1"),
        Cue(9_000, 9_500, "Well then", "spk_1"),
    )


def test_transcribe_words_without_punctuation_are_split_and_sorted() -> None:
    words = [word("word", f"{second}.0", f"{second}.9") for second in range(200)]
    cues = read_transcript(job_output(words).encode()).cues
    assert " ".join(cue.text for cue in cues) == " ".join(["word"] * 200)
    assert max(len(cue.text) for cue in cues) <= 300
    cues = read_transcript(job_output([word("later", "9.0", "9.9"), word("earlier", "1.0", "1.9")]).encode()).cues
    assert cues == (Cue(1_000, 1_900, "earlier"), Cue(9_000, 9_900, "later"))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", TranscriptProblem.EMPTY),
        (b" \n\t\n", TranscriptProblem.EMPTY),
        (b"WEBVTT", TranscriptProblem.EMPTY),
        (b"1\n00:00:01,000 --> 00:00:02,000\n<i></i>\n", TranscriptProblem.EMPTY),
        (b'{"results": {"items": []}}', TranscriptProblem.EMPTY),
        (f"Hi {CANARY}".encode("utf-16"), TranscriptProblem.UTF16),
        (codecs.BOM_UTF16_BE + "Hi".encode("utf-16-be"), TranscriptProblem.UTF16),
        (f"Grüezi {CANARY}".encode("latin-1"), TranscriptProblem.NOT_UTF8),
        (f"{CANARY}\0".encode(), TranscriptProblem.NOT_TEXT),
        ("Hi".encode("utf-16-le"), TranscriptProblem.NOT_TEXT),
        (f'<?xml version="1.0"?><tt>{CANARY}</tt>'.encode(), TranscriptProblem.OTHER_FORMAT),
        (f"[Script Info]\n{CANARY}".encode(), TranscriptProblem.OTHER_FORMAT),
        (b"%PDF-1.7", TranscriptProblem.OTHER_FORMAT),
        (f"A transcript without times {CANARY}.".encode(), TranscriptProblem.OTHER_FORMAT),
        (f"WEBVTTX is no header. {CANARY}".encode(), TranscriptProblem.OTHER_FORMAT),
        (b'[{"start": 1}]', TranscriptProblem.OTHER_FORMAT),
        (rb"{\rtf1 canary}", TranscriptProblem.MALFORMED),
        (f'{{"text": "{CANARY}"}}'.encode(), TranscriptProblem.MALFORMED),
        (f"{{{CANARY}".encode(), TranscriptProblem.MALFORMED),
        (b'{"results": {"items": [NaN]}}', TranscriptProblem.MALFORMED),
        (f"{CANARY}\n\n1\n00:00:01,000 --> 00:00:02,000\nHi".encode(), TranscriptProblem.MALFORMED),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\n&#" + b"9" * 5_000 + b";", TranscriptProblem.MALFORMED),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\n<v &#" + b"9" * 5_000 + b">Hi", TranscriptProblem.MALFORMED),
    ],
)
def test_an_invalid_transcript_is_refused_with_its_problem(data: bytes, expected: TranscriptProblem) -> None:
    assert problem(data) is expected


@pytest.mark.parametrize(
    "times",
    [
        "-00:00:01,000 --> 00:00:02,000",
        "00:00:02,000 --> 00:00:01,000",
        "00:60:00,000 --> 00:60:01,000",
        "00:00:60,000 --> 00:00:61,000",
        "25:00:00,000 --> 25:00:01,000",
        "999:00:00,000 --> 999:00:01,000",
        "00:00:01,000 -->",
        "00:00:01,000 --> later",
        "00:00:01,0000 --> 00:00:02,000",
    ],
)
def test_invalid_times_are_refused(times: str) -> None:
    assert problem(f"1\n{times}\nHi") is TranscriptProblem.BAD_TIMES
    assert problem(f"WEBVTT\n\n{times.replace(',', '.')}\nHi") is TranscriptProblem.BAD_TIMES


def test_times_without_digits_and_beyond_a_day_are_refused() -> None:
    assert problem("WEBVTT\n\nsoon --> 00:01.000\nHi") is TranscriptProblem.BAD_TIMES
    assert problem(job_output([word("Hi", "900000.0", "900000.0")])) is TranscriptProblem.BAD_TIMES


def test_a_transcript_with_too_many_bytes_characters_or_cues_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    oversized = b"\xff" * (limits.MAX_TRANSCRIPT_BYTES + 1)
    assert problem(oversized) is TranscriptProblem.TOO_LARGE, "the size must be checked before the content"
    assert problem(srt([Cue(0, 1, "a" * 2_001)])) is TranscriptProblem.TOO_LONG_CUE
    monkeypatch.setattr(limits, "MAX_CUES", 2)
    assert problem(srt([Cue(0, 1, "a")] * 3)) is TranscriptProblem.TOO_MANY_CUES
    monkeypatch.setattr(limits, "MAX_CHARACTERS", 3)
    assert problem(srt([Cue(0, 1, "aa")] * 2)) is TranscriptProblem.TOO_LARGE


def test_a_cue_with_too_many_characters_is_refused_even_if_few_remain_after_cleaning() -> None:
    blanks = " " * limits.MAX_WRITTEN_CHARACTERS
    assert problem(f"1\n00:00:01,000 --> 00:00:02,000\na{blanks}b") is TranscriptProblem.TOO_LONG_CUE
    for written in (f"a{blanks}b", "<b></b>" * 5_000 + "a", "<v Ann>a</v>" * 5_000):
        assert problem(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{written}") is TranscriptProblem.TOO_LONG_CUE
    empty_lines = "\n" * limits.MAX_WRITTEN_CHARACTERS
    result = read_transcript(f"{empty_lines}00:01.000 --> 00:02.000\n{empty_lines}a{empty_lines}".encode())
    assert result.cues == (Cue(1_000, 2_000, "a"),), "empty lines around a text do not count"


def test_unclosed_voice_tags_are_parsed_quickly() -> None:
    # With backtracking over the blanks before the name, this would take a quarter of an hour.
    open_voice = "<v" + " " * (limits.MAX_WRITTEN_CHARACTERS - 3) + "x"
    result = read_transcript(("WEBVTT\n\n" + f"00:01.000 --> 00:02.000\n{open_voice}\n\n" * 500).encode())
    assert {cue.text for cue in result.cues} == {"<v x"}


def test_a_cue_of_endless_punctuation_is_refused_before_the_rest_is_read() -> None:
    mark: dict[str, object] = {"type": "punctuation", "alternatives": [{"content": "," * 900}]}
    items = [word("Hi", "0", "1"), *[mark] * 10_000, word("Hi", "never", "1")]
    assert problem(job_output(items)) is TranscriptProblem.TOO_LONG_CUE, (
        "the invalid time at the end must not be reached"
    )


def test_texts_of_cues_are_cleaned() -> None:
    result = read_transcript("1\n00:00:00,000 --> 00:00:01,000\na\u0007b\u2028c\u0301 \u00a0 d".encode()).cues[0]
    assert result.text == "ab \u0107 d"


def test_the_repr_of_a_transcript_contains_no_text() -> None:
    result = read_transcript(webvtt([Cue(0, 1, CANARY, CANARY)]).encode())
    assert CANARY not in repr(result)
    assert CANARY not in repr(result.cues[0])
