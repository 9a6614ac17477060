"""Transcripts in SRT, WebVTT and the JSON of Amazon Transcribe are read as cues (timed lines).

Every other file is refused with a failure reason, which does not quote the file.
"""

import codecs
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.livestream import transcript
from handlers.livestream.tracks import TrackReason
from handlers.livestream.transcript import BadTranscript, Cue, read_transcript
from tests.handlers.livestream.broadcast import srt, webvtt

CANARY = "canary"  # text that must not appear in the exception of a refused file
CUES = (
    Cue(0, 1_500, "Good evening."),
    Cue(1_500, 4_000, "We ran 600 ferries last spring, R&D <included>."),
    Cue(3_600_000, 3_601_001, "Naïve? Ça va — 東京。"),
)
WEBVTT_CUE = "WEBVTT\n\n00:00.000 --> 00:01.000\n"
SRT_CUE = "1\n00:00:00,000 --> 00:00:01,000\n"


def read(text: str) -> tuple[Cue, ...]:
    return read_transcript(text.encode())


def reason(data: bytes | str) -> TrackReason:
    """Return the reason for which a file is refused."""
    with pytest.raises(BadTranscript) as caught:
        read_transcript(data.encode() if isinstance(data, str) else data)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "the original exception may contain the text"
    assert str(caught.value) == caught.value.reason.value
    return caught.value.reason


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
    cues = read(job_output([word("I", f"{second}.0", f"{second}.9") for second in range(200)]))
    assert [cue.text for cue in cues] == [" ".join(["I"] * 150), " ".join(["I"] * 50)], "at most 300 characters"


@pytest.mark.parametrize(
    "data", [b"", b" \n\t\n", b"WEBVTT", f"{SRT_CUE}<i></i>\n".encode(), b'{"results": {"items": []}}']
)
def test_a_transcript_without_text_is_refused_as_empty(data: bytes) -> None:
    assert reason(data) is TrackReason.EMPTY


@pytest.mark.parametrize(
    "data",
    [
        f"{SRT_CUE}Hi {CANARY}".encode("utf-16"),
        f"{SRT_CUE}Grüezi {CANARY}".encode("latin-1"),
        f"{SRT_CUE}{CANARY}\0".encode(),
        f'<?xml version="1.0"?><tt>{CANARY}</tt>'.encode(),
        f"A transcript without times {CANARY}.".encode(),
        f"WEBVTTX is no header.\n\n00:00.000 --> 00:01.000\n{CANARY}".encode(),
        f'{{"text": "{CANARY}"}}'.encode(),
        f"{CANARY}\n\n{SRT_CUE}Hi".encode(),
        f"{WEBVTT_CUE}&#{'9' * 5_000};".encode(),
        f"{WEBVTT_CUE}<v &#{'9' * 5_000}>Hi".encode(),
        job_output([word("Hi", "900000.0", "900000.0")]).encode(),
        f"{WEBVTT_CUE}Hi\nA --> B\n{CANARY}".encode(),
        f"{SRT_CUE}Hi\n\n00:00:01,000 --> 00:00:02,000\n{CANARY}".encode(),
    ],
)
def test_another_file_is_refused_as_unreadable(data: bytes) -> None:
    assert reason(data) is TrackReason.UNREADABLE


def test_a_cue_with_invalid_times_is_never_skipped() -> None:
    for times in (
        *("-00:00:01,000 --> 00:00:02,000", "00:00:02,000 --> 00:00:01,000", "00:60:00,000 --> 00:60:01,000"),
        *("00:00:60,000 --> 00:00:61,000", "24:00:00,000 --> 24:00:00,001", "00:00:01,000 -->"),
        *("00:00:01,000 --> later", "00:00:01,0000 --> 00:00:02,000"),
    ):
        assert reason(f"{SRT_CUE}Hi\n\n2\n{times}\nHo") is TrackReason.UNREADABLE
        assert reason(f"{WEBVTT_CUE}Hi\n\n{times.replace(',', '.')}\nHo") is TrackReason.UNREADABLE
    day = 24 * 3_600_000
    assert read(f"{WEBVTT_CUE}Hi\n\n24:00:00.000 --> 24:00:00.000\nHo")[1] == Cue(day, day, "Ho")


def long_file(text: str, cues: int) -> str:
    """Return a WebVTT file with equal cues."""
    return "WEBVTT\n\n" + f"{WEBVTT_CUE[8:]}{text}\n\n" * cues


@pytest.mark.parametrize(
    ("largest", "addition"),
    [
        (WEBVTT_CUE.replace("\n\n", "\n" * 199_998) + "a", "\nb"),
        (long_file("<v A>a" * 3_125, 16), f"{WEBVTT_CUE[8:]}b"),
        (long_file("a" * 2_000, 1_000), f"{WEBVTT_CUE[8:]}b"),
        (f"{WEBVTT_CUE}a".ljust(20_000_000), " "),
    ],
    ids=["lines", "cues", "characters", "bytes"],
)
def test_a_transcript_above_a_limit_is_refused(largest: str, addition: str) -> None:
    assert read(largest)
    assert reason(largest + addition) is TrackReason.TOO_LARGE


@pytest.mark.parametrize("written", ["a" * 2_001, f"a{' ' * 19_999}b", "<b></b>" * 5_000 + "a", "<v Ann>a</v>" * 5_000])
def test_a_cue_with_too_many_characters_is_refused_even_if_few_remain_after_cleaning(written: str) -> None:
    for header in (WEBVTT_CUE, SRT_CUE):
        assert reason(header + written) is TrackReason.UNREADABLE
        assert read(header + "a" * 2_000)
        assert read(f"{header}a{' ' * 19_998}b")


def test_punctuation_is_refused_before_it_becomes_too_long_to_be_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "MAX_CUE_CHARACTERS", 30_000)
    assert reason(job_output([word("Hi", "0", "1"), *[mark("," * 900)] * 23])) is TrackReason.UNREADABLE


def test_unclosed_voice_tags_are_parsed_quickly() -> None:
    # With backtracking over the blanks before the name, this would take a quarter of an hour.
    open_voice = "<v" + " " * (transcript.MAX_WRITTEN_CHARACTERS - 3) + "x"
    cues = read("WEBVTT\n\n" + f"00:01.000 --> 00:02.000\n{open_voice}\n\n" * 500)
    assert {cue.text for cue in cues} == {"<v x"}
