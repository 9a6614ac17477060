"""Benchmark of live transcription on the local platform: the delay between an utterance (a few seconds of speech that a
client sends as one message) and its captions.

The deployed functions run as processes and are called over WebSockets. The emulator and the local Transcribe run on the
same cores. Delays count from sending the utterance. Transcribe works at the pace of speech, so the last final caption
(a caption that will not change any more) cannot come before the speech ends. Its delay counts from that end.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.benchmark_report import WrongResult, print_heading, print_table, to_milliseconds
from benchmarks.started_emulators import deploy_local_stack
from local.audio_formats import RATE, SAMPLE_BYTES
from local.flows.speech_clips import clip_texts, join_clips
from local.flows.transcription_client import Screen, Speaker, TranscriptionBackend
from local.flows.websocket_client import Message
from local.flows.word_errors import MAX_WORD_ERROR_RATE, word_error_rate

UTTERANCES = 20
"""Number of measured utterances of the single client."""
CLIENTS = 3
UTTERANCES_PER_CLIENT = 4
"""Number of measured utterances of each client if several send at once."""
CLIPS = ("slowly", "moon", "sky", "hear", "workshop", "train")
"""Recorded sentences, which the utterances use in turn. Together they last longer than the time (`DEDUP_CACHE_TTL`) in
which the service does not caption the same text again."""
PAUSE_SECONDS = 0.2
"""Silence at the end of an utterance."""


class TimedScreen(Screen):
    """Screen (the captions as a reader sees them) that also records when captions arrive."""

    first_at: float | None = None
    last_final_at: float | None = None

    def apply(self, message: Message) -> None:
        """Record the time of a caption and show it."""
        if message["type"] == "caption":
            self.first_at = self.first_at or time.perf_counter()
            if message["final"]:
                self.last_final_at = time.perf_counter()
        super().apply(message)


@dataclass(frozen=True)
class Latency:
    """Seconds from sending an utterance until an event."""

    accepted: float
    """Until the service has accepted the utterance."""
    first_caption: float
    last_final: float
    """Until the last final caption, minus the length of the utterance."""


def speak(speaker: Speaker, numbers: range) -> list[Latency]:
    """Send the utterances with these numbers one after the other, and check that each is captioned."""
    latencies = []
    for number in numbers:
        clip = CLIPS[number % len(CLIPS)]
        samples = join_clips(clip, pause_seconds=PAUSE_SECONDS)
        seconds = len(samples) / SAMPLE_BYTES / RATE
        speaker.screen = screen = TimedScreen()
        sent_at = time.perf_counter()
        speaker.send_audio(f"u{number}", samples, sequence=number)
        accepted_at = time.perf_counter()
        end = speaker.wait_for_end(f"u{number}")
        [text], shown = clip_texts(clip), " ".join(screen.text())
        is_recognised = end["type"] == "done" and word_error_rate(text, shown) <= MAX_WORD_ERROR_RATE
        if not is_recognised or screen.first_at is None or screen.last_final_at is None:
            raise WrongResult(f"{text} became {end['type']}, {shown}")
        latencies.append(
            Latency(accepted_at - sent_at, screen.first_at - sent_at, screen.last_final_at - sent_at - seconds)
        )
    return latencies


def start_processes(speaker: Speaker) -> None:
    """Send an utterance that is not measured, so that the functions have started."""
    speaker.send_audio("u0", join_clips(CLIPS[0], pause_seconds=PAUSE_SECONDS))
    speaker.wait_for_end("u0")


def open_session(stack: ExitStack, backend: TranscriptionBackend, user: str) -> Speaker:
    """Connect a user and open a session."""
    speaker = stack.enter_context(Speaker(backend, user))
    speaker.open()
    return speaker


def to_rows(name: str, latencies: Sequence[Latency]) -> dict[str, dict[str, float | str]]:
    """Return one row per kind of latency."""
    return {
        f"{name}: accepted": to_milliseconds([latency.accepted for latency in latencies]),
        f"{name}: first caption": to_milliseconds([latency.first_caption for latency in latencies]),
        f"{name}: last final caption after the end": to_milliseconds([latency.last_final for latency in latencies]),
    }


def main() -> None:
    """Print the latencies of one client and of several at once."""
    print_heading("Caption delay")
    with deploy_local_stack() as deployment, ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as pool:
        backend = TranscriptionBackend(deployment.stack)
        single = open_session(stack, backend, "single")
        start_processes(single)
        one_client = speak(single, range(1, 1 + UTTERANCES))
        speakers = [open_session(stack, backend, f"user-{number}") for number in range(CLIENTS)]
        list(pool.map(start_processes, speakers))
        together = list(pool.map(lambda speaker: speak(speaker, range(1, 1 + UTTERANCES_PER_CLIENT)), speakers))
    at_once = [latency for latencies in together for latency in latencies]
    print_table(to_rows("one client", one_client) | to_rows(f"{CLIENTS} clients at once", at_once))


if __name__ == "__main__":
    main()
