"""Comparison of two models that extract meetings' action items: `python -m operations.compare_models`.

Action items are tasks that participants promised. An operator runs the comparison before a cheaper model (the
candidate) replaces the current one (the reference). Both models are asked about the same transcripts, in the way of the
Lambda function `bedrock-summarize`. The tokens and cost of both models are printed, with the agreement of their answers
about each transcript. If the agreement is sufficient, the stack setting that selects the candidate is printed.

Exit status: 0 if the candidate passed, 1 if its agreement is below the threshold, 2 if the comparison could not run.
The models are called on Bedrock, with boto3's credentials and Region. With `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`, another
endpoint is called. The output then states that the answers are no evidence about the models.
"""

import argparse
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from pydantic import ValidationError

from handlers.common.aws.retry import Retrier, RetryTiming
from handlers.common.aws.service_faults import ServiceFailed
from handlers.common.bedrock.converse import BedrockModel, InferenceOptions, TokenUsage, build_client_config
from handlers.common.bedrock.model_families import HAIKU, SONNET
from handlers.common.bedrock.model_questions import MAX_ATTEMPTS, NoAnswer, ask_model
from handlers.common.text.text_windows import WindowSizes, split_into_windows
from handlers.meetings.bedrock_summarize import model_requests
from handlers.meetings.bedrock_summarize.action_item_verification import LocatedActionItem, merge_items, verify_items
from handlers.meetings.bedrock_summarize.environment import ANSWER_SECONDS, SummaryEnvironment
from handlers.meetings.bedrock_summarize.model_requests import QuestionStyle, WindowPosition
from handlers.meetings.bedrock_summarize.stored_answers import sum_tokens
from handlers.meetings.bedrock_summarize.stored_summary_models import SummaryTokens
from handlers.meetings.bedrock_summarize.stored_transcript_models import Transcript
from operations.aws_errors import translate_errors
from operations.command_errors import CommandFailed
from operations.model_comparison import FoundActionItems, TranscriptComparison, compute_cost, total_agreement

FOLDER = Path(__file__).resolve().parent
TRANSCRIPTS = FOLDER / "meeting_samples"
"""Folder with the transcripts of invented meetings, one JSON file each."""
PRICES = FOLDER.parent / "policies" / "guardrails" / "pricing" / "prices.toml"
"""File with the prices of tokens."""
COUNT = 10
"""Default number of transcripts that both models are asked about."""
THRESHOLD = 0.8
"""Minimum agreement (F1 score) at which the candidate passes."""
AWS_HOST_SUFFIXES = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
"""Ends of AWS's host names. Answers of any other host are treated as scripted (given by fixed rules, not by a model),
so they are no evidence."""
DEFAULTS = {name: field.default for name, field in SummaryEnvironment.model_fields.items()}
"""Default settings of the Lambda function `bedrock-summarize`."""
QUESTION_SECONDS = float(MAX_ATTEMPTS * ANSWER_SECONDS)
"""Maximum time of one question, including its repetition and retries while the model is throttled."""
STYLE = QuestionStyle(InferenceOptions(DEFAULTS["max_output_tokens"]), transcript_cached=False)
"""Options of the requests to the models. Transcripts are not cached, because each model is asked once about each
window."""
Client = Callable[..., Any]
"""`boto3.client`, or a replacement of it."""
PrintLine = Callable[[str], None]


@dataclass(frozen=True)
class ActionItemExaminer:
    """Examiner that asks models for the action items of transcripts."""

    client: Any
    """The boto3 client of `bedrock-runtime`."""
    timing: RetryTiming

    def find_items(self, model_id: str, name: str, transcript: Transcript) -> FoundActionItems:
        """Return the action items that a model finds. Raises CommandFailed if the call fails."""
        try:
            return self._find_items(model_id, transcript)
        except ServiceFailed as error:
            # CommandFailed is raised after this block. Raised here, it would carry the text of AWS as its context.
            cause = error.fault.value
        raise CommandFailed(
            f"{model_id} did not answer about {name} ({cause}). Check the credentials, the Region, the model id, and that "
            "the account may use the model."
        )

    def _find_items(self, model_id: str, transcript: Transcript) -> FoundActionItems:
        if not transcript.said:
            return FoundActionItems((), SummaryTokens())
        sizes = WindowSizes(DEFAULTS["part_characters"], transcript.said[-1].end_ms + 1, DEFAULTS["overlap_characters"])
        windows = split_into_windows(transcript.said, sizes)
        model = BedrockModel(self.client, model_id)
        usages: list[TokenUsage] = []
        parts: list[tuple[LocatedActionItem, ...]] = []
        invented_quotes = 0
        for window in windows:
            question = model_requests.action_items_question(
                window, WindowPosition(window.index, len(windows), transcript.language), STYLE
            ).question
            retrier = Retrier(self.timing, self.timing.now() + QUESTION_SECONDS)
            answer = ask_model(model, question, retrier, DEFAULTS["answer_seconds"], usages.append)
            if isinstance(answer, NoAnswer):
                return FoundActionItems((), sum_tokens(usages), usable=False)
            verified = verify_items(answer.items, window)
            parts.append(verified.items)
            invented_quotes += verified.dropped
        return FoundActionItems(merge_items(parts), sum_tokens(usages), invented_quotes=invented_quotes)


def main(
    arguments: list[str] | None = None,
    *,
    client: Client | None = None,
    timing: RetryTiming | None = None,
    print_line: PrintLine = print,
) -> int:
    """Run the comparison and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        transcripts = _read_transcripts(options.transcripts, options.count)
        with translate_errors(None, "Bedrock"):
            bedrock = (client or boto3.client)(
                "bedrock-runtime", config=build_client_config(DEFAULTS["answer_seconds"])
            )
        is_scripted = not str(bedrock.meta.endpoint_url).split("/")[2].endswith(AWS_HOST_SUFFIXES)
        note = " (not Bedrock, so this is no evidence)" if is_scripted else ""
        print_line(
            f"reference {options.reference}\ncandidate {options.candidate}\nasked at {bedrock.meta.endpoint_url}{note}\n"
        )
        comparisons = _compare(ActionItemExaminer(bedrock, timing or RetryTiming()), options, transcripts)
    except (CommandFailed, KeyboardInterrupt) as error:
        sys.stderr.write(f"{error if isinstance(error, CommandFailed) else 'Interrupted: there is no result.'}\n")
        return 2
    prices = read_prices()
    print_line(_summarize("reference", options.reference, [comparison.reference for comparison in comparisons], prices))
    print_line(_summarize("candidate", options.candidate, [comparison.candidate for comparison in comparisons], prices))
    for comparison in comparisons:
        print_line(f"{comparison.name}: agreement {comparison.agreement.f1:.3f}")
    agreement = total_agreement(comparisons).f1
    passed = agreement >= options.threshold
    print_line(
        f"\nagreement {agreement:.3f}, threshold {options.threshold:.3f}: {'passed' if passed else 'not passed'}"
    )
    if not passed:
        print_line(f"Keep meetings.models.actionItems at {options.reference}.")
        return 1
    print_line(f"{'If Bedrock gives the same result, commit' if is_scripted else 'Commit'} this to the stack file:")
    print_line(f'config:\n  polyphony:meetings:\n    models:\n      actionItems: "{options.candidate}"')
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m operations.compare_models", description=__doc__)
    parser.add_argument("--transcripts", type=Path, default=TRANSCRIPTS, help="folder with transcripts as JSON files")
    parser.add_argument("--count", type=int, default=COUNT, help="number of transcripts, in the order of their names")
    parser.add_argument("--reference", default=SONNET, help="current model")
    parser.add_argument("--candidate", default=HAIKU, help="model that may replace it")
    parser.add_argument("--threshold", type=_share, default=THRESHOLD, help="minimum agreement, from 0 to 1")
    return parser


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 1")
    return value


def _read_transcripts(folder: Path, count: int) -> list[tuple[str, Transcript]]:
    files = sorted(folder.glob("*.json"))
    if not 1 <= count <= len(files):
        raise CommandFailed(
            f"{folder} has {len(files)} transcripts, and --count is {count}: give a number from 1 to {len(files)}."
        )
    transcripts: list[tuple[str, Transcript]] = []
    for file in files[:count]:
        try:
            transcripts.append((file.stem, Transcript.model_validate_json(file.read_bytes())))
        except (OSError, ValidationError):
            raise CommandFailed(
                f"{file} is not a transcript in the format that the function stores below transcripts/."
            ) from None
    return transcripts


def read_prices() -> dict[str, float]:
    """Return the dollars per token, by the price's name."""
    prices = tomllib.loads(PRICES.read_text(encoding="utf-8"))["Amazon Bedrock"]
    return {name: float(price["usd"]) for name, price in prices.items() if isinstance(price, dict)}


def _compare(
    examiner: ActionItemExaminer, options: argparse.Namespace, transcripts: Sequence[tuple[str, Transcript]]
) -> list[TranscriptComparison]:
    models = (options.reference, options.candidate)
    comparisons = [
        TranscriptComparison(name, *(examiner.find_items(model, name, transcript) for model in models))
        for name, transcript in transcripts
    ]
    if not any(comparison.reference.located for comparison in comparisons):
        raise CommandFailed(
            f"{options.reference} found no action item in any transcript, so there is nothing to compare."
        )
    return comparisons


def _summarize(role: str, model_id: str, found_items: Sequence[FoundActionItems], prices: Mapping[str, float]) -> str:
    """Return a line with the items, tokens and cost of a model over all transcripts."""
    tokens = sum_tokens([found.tokens for found in found_items])
    tokens_in = tokens.input_tokens + tokens.cache_read_tokens + tokens.cache_write_tokens
    usd = compute_cost(model_id, tokens, prices)
    numbers = [
        f"items {sum(len(found.located) for found in found_items)}",
        f"invented quotes {sum(found.invented_quotes for found in found_items)}",
        f"transcripts without a usable answer {sum(not found.usable for found in found_items)}",
        f"tokens in {tokens_in}",
        f"tokens out {tokens.output_tokens}",
        "no price" if usd is None else f"USD {usd:.5f}",
    ]
    return f"{role}: {', '.join(numbers)}"


if __name__ == "__main__":
    sys.exit(main())
