"""What transcripts cost the functions that read them: time and memory by format, their windows, and quotes looked for.

Seven hours of speech in each format. Amazon Transcribe's is 10 MB by then, the most that may be uploaded by default;
the others are as large only with more words than are taken, so those are there to be refused. Each file has a process
of its own, which reads it from disk. Times are of the processor.
"""

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import verdict
from components.settings import LivestreamSettings
from handlers.common.quotes import Spoken
from handlers.common.windows import Sizes, Window, windows
from handlers.livestream.cues import BadTranscript, Cue
from handlers.livestream.transcript_environment import OVERLAP_CHARACTERS, WINDOW_SECONDS
from handlers.livestream.transcripts import read
from tests.handlers.livestream.written import srt, transcribe, webvtt

HOURS = 7
WORDS_A_MINUTE = 150
SENTENCE = 12
"""Words, on average."""
LARGE = 10_000_000
ROUNDS = 7
QUOTES = 20
"""Of each window, as many as are said and as many as are not."""
LEAST, MOST = 6, 14
"""Words of a quote."""
FORMATS: dict[str, Callable[[Sequence[Cue]], str]] = {
    "srt": srt,
    "webvtt": webvtt,
    "transcribe": transcribe,
    "plain": lambda cues: " ".join(cue.text for cue in cues),
}
SETTINGS = LivestreamSettings()
READER = SETTINGS.transcript_windows
SIZES = Sizes(SETTINGS.agent.window_characters, WINDOW_SECONDS * 1000, OVERLAP_CHARACTERS)


def spoken(hours: float) -> list[Cue]:
    """Somebody's speech, a cue a sentence; of the words, few are said often and many hardly ever."""
    dice = random.Random(8)  # noqa: S311 - the same speech each time
    letters = "etaoinshrdlcumwfgypbvk"
    vocabulary = ["".join(dice.choices(letters, k=dice.choice((2, 3, 3, 4, 4, 5, 6, 8)))) for _ in range(5_000)]
    shares = list(accumulate(1 / rank for rank in range(1, len(vocabulary) + 1)))
    cues, at_ms, word_ms = [], 0, 60_000 // WORDS_A_MINUTE
    while at_ms < hours * 3_600_000:
        words = dice.choices(vocabulary, cum_weights=shares, k=dice.randint(SENTENCE // 2, SENTENCE * 3 // 2))
        end_ms = at_ms + word_ms * len(words)
        cues.append(Cue(at_ms, end_ms, f"{' '.join(words).capitalize()}."))
        at_ms = end_ms
    return cues


def measured(file: Path) -> dict[str, float]:
    """What one file takes."""
    before = _memory("VmRSS:")
    data = file.read_bytes()
    size = len(data) / 1e6
    begun = time.process_time()
    try:
        cues = read(data).cues
    except BadTranscript:
        return {"MB": size, "refused, s": time.process_time() - begun, "peak MB": _memory("VmHWM:") - before}
    cut = windows(cues, SIZES)
    peak = _memory("VmHWM:") - before
    reading = [_took(lambda: read(data)) for _ in range(ROUNDS)]
    cutting = [_took(lambda: windows(cues, SIZES)) for _ in range(ROUNDS)]
    return {
        "MB": size,
        "read, s": statistics.median(reading),
        "least": min(reading),
        "most": max(reading),
        "MB/s": size / statistics.median(reading),
        "peak MB": peak,
        "windows": len(cut),
        "windows/s": len(cut) / statistics.median(cutting),
        **_quoted(cut),
    }


def _quoted(cut: Sequence[Window[Cue]]) -> dict[str, float]:
    """Quotes of each window, and others of the same words in another order."""
    dice = random.Random(9)  # noqa: S311 - the same quotes each time
    took = {"preparing": 0.0, "said": 0.0, "invented": 0.0}
    for window in cut:
        words = " ".join(cue.text for cue in window.passages).lower().replace(".", "").split()
        begins = [dice.randrange(len(words) - MOST) for _ in range(QUOTES)]
        said = [words[begin : begin + dice.randint(LEAST, MOST)] for begin in begins]
        quotes = {"said": said, "invented": [[*quote[1:], quote[0]] for quote in said]}
        begun = time.process_time()
        place = Spoken(window.passages)
        took["preparing"] += time.process_time() - begun
        for kind, those in quotes.items():
            texts = [" ".join(quote) for quote in those]
            begun = time.process_time()
            found = [place.find(text) is not None for text in texts]
            took[kind] += time.process_time() - begun
            if found != [f" {text} " in f" {' '.join(words)} " for text in texts]:
                raise ValueError(f"a quote that is {kind} is not told from others")
    count = QUOTES * len(cut)
    return {
        "ms a window": 1000 * took["preparing"] / len(cut),
        "quotes/s": count / took["said"],
        "invented/s": count / took["invented"],
    }


def _took(what: Callable[[], object]) -> float:
    begun = time.process_time()
    what()
    return time.process_time() - begun


def _memory(which: str) -> float:
    """MB of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(which))


def _apart(folder: str, name: str, text: str) -> dict[str, float]:
    file = Path(folder) / name
    file.write_text(text)
    done = subprocess.run([sys.executable, __file__, str(file)], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Prints two tables, or as JSON what one process measured."""
    if sys.argv[1:]:
        print(json.dumps(measured(Path(sys.argv[1]))))
        return
    cues = spoken(HOURS)
    with tempfile.TemporaryDirectory() as folder:
        runs = {name: _apart(folder, name, write(cues)) for name, write in FORMATS.items()}
        large = {
            f"{name}, too long": _apart(folder, name, write(spoken(HOURS * LARGE / 1e6 / runs[name]["MB"])))
            for name, write in FORMATS.items()
            if name != "transcribe"
        }
    for table in (runs, large):
        print(f"{'':20}" + "".join(name.rjust(13) for name in next(iter(table.values()))))
        for name, run in table.items():
            print(f"{name:20}" + "".join(f"{one:13,.3f}" if one < 10 else f"{one:13,.0f}" for one in run.values()))
        print()
    slowest, peak = max(run["read, s"] for run in runs.values()), max(run["peak MB"] for run in runs.values())
    print(
        f"of what the function has: {READER.timeout_seconds} s {verdict(slowest, READER.timeout_seconds)},"
        f" {READER.memory_mb} MB {verdict(peak, READER.memory_mb)}"
    )


if __name__ == "__main__":
    main()
