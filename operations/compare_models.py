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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from pydantic import ValidationError

from handlers.common.aws.retry import Patience, Timing
from handlers.common.aws.service_faults import ServiceFailed
from handlers.common.bedrock.converse import BedrockModel, Manner, Usage, config
from handlers.common.bedrock.model_questions import NoAnswer, ask
from handlers.common.text.text_windows import Sizes, windows
from handlers.meetings.bedrock_summarize import model_requests
from handlers.meetings.bedrock_summarize.action_items import LocatedActionItem, merge_items, verify_items
from handlers.meetings.bedrock_summarize.environment import HAIKU, SONNET, SummaryEnvironment
from handlers.meetings.bedrock_summarize.model_requests import PartPosition, QuestionStyle
from handlers.meetings.bedrock_summarize.stored_answers import sum_tokens
from handlers.meetings.bedrock_summarize.summary import SummaryTokens
from handlers.meetings.bedrock_summarize.transcript import Transcript
from operations.aws_gateway import told
from operations.command_errors import Refused
from operations.model_agreement import Compared, Found, overall, table

FOLDER = Path(__file__).resolve().parent
TRANSCRIPTS = FOLDER / "meeting_samples"
PRICES = FOLDER.parent / "policies" / "guardrails" / "pricing" / "price_book.toml"
COUNT = 10
THRESHOLD = 0.8
PATIENCE_SECONDS = 300.0
"""How long one question may take, with waiting for a busy model."""
HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
DEFAULTS = {name: field.default for name, field in SummaryEnvironment.model_fields.items()}
STYLE = QuestionStyle(Manner(DEFAULTS["max_output_tokens"]), transcript_cached=False)
Client = Callable[..., Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Examiner:
    """Has models read transcripts."""

    client: Any
    """Of `bedrock-runtime`."""
    timing: Timing

    def found(self, model_id: str, name: str, transcript: Transcript) -> Found:
        """What a model finds in a transcript."""
        try:
            return self._found(model_id, transcript)
        except ServiceFailed as error:
            cause = error.fault.value
        raise Refused(
            f"{model_id} did not answer about {name}: {cause}; check credentials, the Region, the model's id, and that "
            "the account may use it"
        )

    def _found(self, model_id: str, transcript: Transcript) -> Found:
        if not transcript.said:
            return Found((), SummaryTokens())
        sizes = Sizes(DEFAULTS["part_characters"], transcript.said[-1].end_ms + 1, DEFAULTS["overlap_characters"])
        cut = windows(transcript.said, sizes)
        model = BedrockModel(self.client, model_id)
        spent: list[Usage] = []
        parts: list[tuple[LocatedActionItem, ...]] = []
        dropped = 0
        for window in cut:
            question = model_requests.action_items_question(
                window, PartPosition(window.index, len(cut), transcript.language), STYLE
            ).question
            patience = Patience(self.timing, self.timing.now() + PATIENCE_SECONDS)
            answer = ask(model, question, patience, DEFAULTS["answer_seconds"], spent.append)
            if isinstance(answer, NoAnswer):
                return Found((), sum_tokens(spent), usable=False)
            left = verify_items(answer.items, window)
            parts.append(left.items)
            dropped += left.dropped
        return Found(merge_items(parts), sum_tokens(spent), dropped=dropped)


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
        with told(None, "Bedrock"):
            bedrock = (client or boto3.client)("bedrock-runtime", config=config(DEFAULTS["answer_seconds"]))
        scripted = not str(bedrock.meta.endpoint_url).split("/")[2].endswith(HOSTS)
        note = " (not Bedrock: this is no evidence)" if scripted else ""
        tell(
            f"reference {options.reference}\ncandidate {options.candidate}\nasked at {bedrock.meta.endpoint_url}{note}\n"
        )
        compared = _compared(Examiner(bedrock, timing or Timing()), options, transcripts)
    except (Refused, KeyboardInterrupt) as error:
        sys.stderr.write(f"{error if isinstance(error, Refused) else 'interrupted: nothing was decided'}\n")
        return 2
    for line in table(compared, options.reference, options.candidate, _prices()):
        tell(line)
    agreement = overall(compared).f1
    passed = agreement >= options.threshold
    tell(f"\nagreement {agreement:.3f}, threshold {options.threshold:.3f}: {'passed' if passed else 'not passed'}")
    if not passed:
        tell(f"Keep meetings.models.actionItems at {options.reference}.")
        return 1
    tell(f"{'Once Bedrock says the same, commit' if scripted else 'Commit'} this to the stack file:")
    tell(f'config:\n  polyphony:meetings:\n    models:\n      actionItems: "{options.candidate}"')
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m operations.compare_models", description=__doc__)
    parser.add_argument("--transcripts", type=Path, default=TRANSCRIPTS, help="a folder of transcripts, as JSON files")
    parser.add_argument("--count", type=int, default=COUNT, help="how many of them, in the order of their names")
    parser.add_argument("--reference", default=SONNET, help="the model that serves now")
    parser.add_argument("--candidate", default=HAIKU, help="the model that may serve instead")
    parser.add_argument("--threshold", type=_share, default=THRESHOLD, help="the least agreement, from 0 to 1")
    return parser


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value


def _transcripts(folder: Path, count: int) -> list[tuple[str, Transcript]]:
    files = sorted(folder.glob("*.json"))
    if not 1 <= count <= len(files):
        raise Refused(f"{folder} has {len(files)} transcripts, and {count} were asked for: give --count")
    found: list[tuple[str, Transcript]] = []
    for file in files[:count]:
        try:
            found.append((file.stem, Transcript.model_validate_json(file.read_bytes())))
        except (OSError, ValidationError):
            raise Refused(f"{file} is no transcript as the function keeps it below transcripts/") from None
    return found


def _prices() -> dict[str, float]:
    return {name: float(entry["usd"]) for name, entry in tomllib.loads(PRICES.read_text(encoding="utf-8")).items()}


def _compared(
    examiner: Examiner, options: argparse.Namespace, transcripts: Sequence[tuple[str, Transcript]]
) -> list[Compared]:
    compared = [
        Compared(name, *(examiner.found(model, name, one) for model in (options.reference, options.candidate)))
        for name, one in transcripts
    ]
    if not any(one.reference.placed for one in compared):
        raise Refused(f"{options.reference} found no action item in any transcript: there is nothing to agree on")
    return compared


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
