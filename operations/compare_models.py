"""Compares two models at finding action items: `python -m operations.compare_models`.

Asks both about the same transcripts, as the function would, and prints their agreement, tokens and cost side by side.
A cheaper model serves only after it has agreed enough with the one that serves now; then this says what to commit.

Exit status: 0 when the candidate passed, 1 when it agrees less than the threshold, 2 when this cannot run.
The models are Bedrock's, with the credentials and the Region that boto3 finds. `AWS_ENDPOINT_URL_BEDROCK_RUNTIME` leads
elsewhere, which the output says: what is scripted is no evidence.
"""

import argparse
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError
from pydantic import ValidationError

from handlers.common.asking import NoAnswer, ask
from handlers.common.converse import BedrockModel, Manner, Usage, config
from handlers.common.faults import ServiceFailed
from handlers.common.patience import Patience, Timing
from handlers.common.windows import Sizes, windows
from handlers.meetings import questions
from handlers.meetings.action_items import Placed, checked, merged
from handlers.meetings.interview import total
from handlers.meetings.questions import Place, Style
from handlers.meetings.summary import Tokens
from handlers.meetings.summary_environment import HAIKU, SONNET, SummaryEnvironment
from handlers.meetings.transcript import Transcript
from operations.comparison import Compared, Found, overall
from operations.comparison_table import table

FOLDER = Path(__file__).resolve().parent
TRANSCRIPTS = FOLDER / "meeting_samples"
PRICES = FOLDER.parent / "policies" / "guardrails" / "pricing" / "book.toml"
COUNT = 10
THRESHOLD = 0.8
PATIENCE_SECONDS = 300.0
"""How long one question may take, with waiting for a busy model."""
HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
Client = Callable[..., Any]
Say = Callable[[str], None]


class CannotRun(Exception):
    """Why there is no comparison."""


class Examiner:
    """Has models read transcripts."""

    def __init__(self, client: Any, manner: Manner, timing: Timing) -> None:
        """On a client of `bedrock-runtime`."""
        self._client = client
        self._style = Style(manner, transcript_kept=False)
        self._timing = timing
        settings = SummaryEnvironment.model_fields
        self._characters: int = settings["part_characters"].default
        self._overlap: int = settings["overlap_characters"].default
        self._seconds: int = settings["answer_seconds"].default

    def found(self, model_id: str, transcript: Transcript) -> Found:
        """What a model finds; raises ServiceFailed."""
        if not transcript.said:
            return Found((), Tokens())
        cut = windows(transcript.said, Sizes(self._characters, transcript.said[-1].end_ms + 1, self._overlap))
        model = BedrockModel(self._client, model_id)
        spent: list[Usage] = []
        parts: list[tuple[Placed, ...]] = []
        dropped = 0
        for window in cut:
            place = Place(window.index, len(cut), transcript.language)
            question = questions.action_items(window, place, self._style).question
            patience = Patience(self._timing, self._timing.now() + PATIENCE_SECONDS)
            answer = ask(model, question, patience, self._seconds, spent.append)
            if isinstance(answer, NoAnswer):
                return Found((), total(spent), usable=False)
            left = checked(answer.items, window)
            parts.append(left.placed)
            dropped += left.dropped
        return Found(merged(parts), total(spent), dropped=dropped)


def main(
    arguments: list[str] | None = None,
    *,
    client: Client | None = None,
    timing: Timing | None = None,
    say: Say | None = None,
) -> int:
    """Runs the comparison."""
    options = _parser().parse_args(arguments)
    tell = say or _say
    try:
        transcripts = _transcripts(options.transcripts, options.count)
        prices = _prices(options.prices)
        bedrock = _bedrock(client or boto3.client)
        tell(_who(bedrock, options))
        examiner = Examiner(bedrock, Manner(options.max_output_tokens), timing or Timing())
        compared = _compared(examiner, options, transcripts)
    except CannotRun as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was decided\n")
        return 2
    for line in table(compared, options.reference, options.candidate, prices):
        tell(line)
    agreement = overall(compared).f1
    passed = agreement >= options.threshold
    tell(f"\nagreement {agreement:.3f}, threshold {options.threshold:.3f}: {'passed' if passed else 'not passed'}")
    for line in _to_commit(options, scripted=_scripted(bedrock)) if passed else _to_keep(options):
        tell(line)
    return 0 if passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m operations.compare_models", description=__doc__)
    parser.add_argument("--transcripts", type=Path, default=TRANSCRIPTS, help="a folder of transcripts, as JSON files")
    parser.add_argument("--count", type=int, default=COUNT, help="how many of them, in the order of their names")
    parser.add_argument("--reference", default=SONNET, help="the model that serves now")
    parser.add_argument("--candidate", default=HAIKU, help="the model that may serve instead")
    parser.add_argument("--threshold", type=_share, default=THRESHOLD, help="the least agreement, from 0 to 1")
    parser.add_argument("--prices", type=Path, default=PRICES, help="the price book, as TOML")
    settings = SummaryEnvironment.model_fields
    parser.add_argument("--max-output-tokens", type=int, default=settings["max_output_tokens"].default)
    return parser


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value


def _transcripts(folder: Path, count: int) -> list[tuple[str, Transcript]]:
    files = sorted(folder.glob("*.json"))
    if not 1 <= count <= len(files):
        raise CannotRun(f"{folder} has {len(files)} transcripts, and {count} were asked for: give --count")
    found: list[tuple[str, Transcript]] = []
    for file in files[:count]:
        try:
            found.append((file.stem, Transcript.model_validate_json(file.read_bytes())))
        except (OSError, ValidationError):
            raise CannotRun(f"{file} is no transcript as the function keeps it below transcripts/") from None
    return found


def _prices(file: Path) -> dict[str, float]:
    try:
        with file.open("rb") as opened:
            return {name: float(entry["usd"]) for name, entry in tomllib.load(opened).items()}
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError):
        raise CannotRun(f"{file} is no price book: give --prices") from None


def _bedrock(client: Client) -> Any:
    try:
        return client("bedrock-runtime", config=config(SummaryEnvironment.model_fields["answer_seconds"].default))
    except BotoCoreError as error:
        raise CannotRun(f"no client of Bedrock: {type(error).__name__}; give AWS_DEFAULT_REGION") from None


def _scripted(client: Any) -> bool:
    """Whether it leads somewhere else than to Bedrock."""
    return not str(client.meta.endpoint_url).split("/")[2].endswith(HOSTS)


def _who(client: Any, options: argparse.Namespace) -> str:
    note = " (not Bedrock: this is no evidence)" if _scripted(client) else ""
    return f"reference {options.reference}\ncandidate {options.candidate}\nasked at {client.meta.endpoint_url}{note}\n"


def _compared(
    examiner: Examiner, options: argparse.Namespace, transcripts: Sequence[tuple[str, Transcript]]
) -> list[Compared]:
    compared = [
        Compared(name, *(_found(examiner, model, name, one) for model in (options.reference, options.candidate)))
        for name, one in transcripts
    ]
    if not any(one.reference.placed for one in compared):
        raise CannotRun(f"{options.reference} found no action item in any transcript: there is nothing to agree on")
    return compared


def _found(examiner: Examiner, model: str, name: str, transcript: Transcript) -> Found:
    try:
        return examiner.found(model, transcript)
    except ServiceFailed as error:
        cause = error.fault.value
    raise CannotRun(
        f"{model} did not answer about {name}: {cause}; check credentials, the Region, the model's id, and that the "
        "account may use it"
    )


def _to_commit(options: argparse.Namespace, *, scripted: bool) -> list[str]:
    return [
        f"{'Once Bedrock says the same, commit' if scripted else 'Commit'} this to the stack file:",
        "config:",
        "  polyphony:meetings:",
        "    models:",
        f'      actionItems: "{options.candidate}"',
    ]


def _to_keep(options: argparse.Namespace) -> list[str]:
    return [f"Keep meetings.models.actionItems at {options.reference}."]


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
