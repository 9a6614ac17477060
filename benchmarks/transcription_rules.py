"""What the rules for captions cost a result: many streams interleaved in one process, as none of Lambda's ever has them.

The results are written as the local Transcribe writes them. What is timed is what the processor does with each: reading
it, taking it, and what time brings, between results too. Each kind and number of streams has a process of its own.
"""

import gc
import heapq
import itertools
import json
import subprocess
import sys
import time
import tracemalloc
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import at_share, verdict
from handlers.transcription.captions import Captions
from handlers.transcription.event_stream import decode
from handlers.transcription.results import results_of
from local.services.tones import Pause, Word
from local.services.transcribe_captions import Captions as Service
from tests.handlers.transcription.captioning import DEPLOYED

STREAMS = (1, 100, 1000)
LEAST_RESULTS = 30_000
"""Fewer streams are followed by as many more as it takes."""
WEIGHED = 20
"""Streams whose memory is told by tracemalloc."""
SECONDS = 30
PHASE_MS = 37
"""A stream begins so much later than the one before, within a second."""
AIM_MS, AIM_RATE, AIM_MB = 5, 20_000, 128

Script = list[tuple[int, bytes]]
"""When a payload arrives, in milliseconds."""


def spoken(word_ms: int, words: int, versions: int) -> Script:
    """Sentences: each word makes a partial, which may be sent again before the next, and each sentence a final."""
    numbers = itertools.count()
    service = Service(stabilised=True, new_id=lambda: f"{next(numbers):036}")
    script: Script = []
    for word, at_ms in enumerate(range(word_ms, SECONDS * 1000, word_ms)):
        at = at_ms / 1000
        for payload in _payloads(service.hear(Word(f"word{word}", at - word_ms / 1000, at))):
            script += [(at_ms + word_ms * again // versions, payload) for again in range(versions)]
        if word % words == words - 1:
            script += [(at_ms + word_ms - 1, payload) for payload in _payloads(service.hear(Pause(at)))]
    return script


def flood(results: int) -> Script:
    """Each millisecond another result that never becomes final."""
    script: Script = []
    for at_ms in range(results):
        service = Service(stabilised=True, new_id=lambda at_ms=at_ms: f"{at_ms:036}")  # type: ignore[misc]
        partials = [list(service.hear(Word(f"word{at_ms}x{word}", 0.1 * word, 0.1 * word + 0.1))) for word in range(8)]
        script += [(at_ms, payload) for payload in _payloads(partials[-1])]
    return script


KINDS: dict[str, Callable[[], Script]] = {
    "speech": lambda: spoken(word_ms=300, words=12, versions=2),
    "worst": lambda: spoken(word_ms=100, words=30, versions=1),
    "flood": lambda: flood(300),
    "full": lambda: flood(5000),
}
"""`worst`: ten partials a second of sentences of thirty words, none the same as another. `full`: a flood beyond every
bound of what a stream keeps; it is weighed only."""


@dataclass
class Stage:
    """Streams that go on at once."""

    script: Script
    count: int
    listening: list[Captions] = field(default_factory=list)
    took_ns: "array[int]" = field(default_factory=lambda: array("q"))
    """For each result, from its payload to the last caption that it brought."""
    busy_ns: int = 0
    """Of the processor alone, whoever else wanted it: for results, for what time alone brought, and for the ends."""

    def run(self) -> None:
        """All results of all streams, by time; the streams stay open."""
        self.listening = [Captions(DEPLOYED) for _ in range(self.count)]
        clock, busy = time.perf_counter_ns, time.thread_time_ns
        for at_ms, number, payload in heapq.merge(*(self._shifted(number) for number in range(self.count))):
            captions = self.listening[number]
            begun = busy()
            while (due_ms := captions.next_due_ms()) is not None and due_ms < at_ms:
                captions.due(due_ms)
            arrived = clock()
            for result in results_of(payload):
                captions.take(result, at_ms)
            captions.due(at_ms)
            self.took_ns.append(clock() - arrived)
            self.busy_ns += busy() - begun

    def finish(self) -> None:
        """The ends of all streams."""
        begun = time.thread_time_ns()
        for captions in self.listening:
            captions.finish(2 * SECONDS * 1000)
        self.busy_ns += time.thread_time_ns() - begun

    def _shifted(self, number: int) -> Iterator[tuple[int, int, bytes]]:
        return ((at_ms + number * PHASE_MS % 1000, number, payload) for at_ms, payload in self.script)


def timed(kind: str, count: int) -> dict[str, float]:
    """What results take."""
    script = KINDS[kind]()
    before = _resident_mb()
    took_ns, busy_ns = array("q"), 0
    for _ in range(max(1, LEAST_RESULTS // (len(script) * count))):
        stage = Stage(script, count)
        stage.run()
        stage.finish()
        took_ns += stage.took_ns
        busy_ns += stage.busy_ns
    shares = {f"p{round(share * 100)} ms": at_share(took_ns, share) / 1e6 for share in (0.5, 0.95, 0.99)}
    return {
        "results": len(took_ns),
        **shares,
        "most ms": max(took_ns) / 1e6,
        "results/s": len(took_ns) / busy_ns * 1e9,
        "MB before": before,
        "MB peak": _resident_mb(),
    }


def weighed(kind: str) -> dict[str, float]:
    """What a stream holds before its end: everything that was made for it and is still there."""
    script = KINDS[kind]()
    tracemalloc.start()
    stage = Stage(script, WEIGHED)
    stage.run()
    stage.took_ns = array("q")
    gc.collect()
    return {"kB a stream": tracemalloc.get_traced_memory()[0] / WEIGHED / 1024}


def _payloads(frames: Iterable[bytes]) -> list[bytes]:
    return [decode(one).payload for one in frames]


def _resident_mb() -> float:
    """The most that this process ever held. What `getrusage` tells begins with the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def _apart(*arguments: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Prints one table, or as JSON what one process measured."""
    match sys.argv[1:]:
        case [kind]:
            print(json.dumps(weighed(kind)))
            return
        case [kind, count]:
            print(json.dumps(timed(kind, int(count))))
            return
    runs = {(kind, count): _apart(kind, str(count)) for kind in KINDS if kind != "full" for count in STREAMS}
    print(f"{'':8}{'streams':>8}" + "".join(name.rjust(12) for name in next(iter(runs.values()))))
    for (kind, streams), run in runs.items():
        figures = "".join(f"{value:12.3f}" if name.endswith("ms") else f"{value:12,.0f}" for name, value in run.items())
        print(f"{kind:8}{streams:8}{figures}")
    for kind in KINDS:
        print(f"a stream of {kind} holds {_apart(kind)['kB a stream']:.1f} kB (tracemalloc)")
    slowest = max(run["p95 ms"] for run in runs.values())
    rate = min(run["results/s"] for run in runs.values())
    peak = max(run["MB peak"] for run in runs.values())
    print(
        f"aims: p95 < {AIM_MS} ms {verdict(slowest, AIM_MS)}, {AIM_RATE:,} results/s a core"
        f" {verdict(rate, AIM_RATE, at_least=True)}, peak < {AIM_MB} MB {verdict(peak, AIM_MB)}"
    )


if __name__ == "__main__":
    main()
