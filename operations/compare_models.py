"""Comparison of two models that extract meetings' action items: `python -m operations.compare_models`.

An operator runs it before a cheaper model (the candidate) replaces the current one (the reference). Both get the same
transcripts, with the questions of the Lambda function `bedrock-summarize`. Two action items are the same if their quotes
share a word of the transcript and their owners are the same person; wording and due dates do not count. The agreement
is the F1 score of the candidate's items over all transcripts, with the reference's items as the truth.

Exit status: 0 if the candidate passed, 1 if its agreement is below the threshold, 2 if the comparison could not run.
With `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`, another endpoint than Bedrock is called, whose answers are no evidence.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from components.settings.meetings import ModelSettings
from handlers.common.aws import error_name
from handlers.common.bedrock import HAIKU, SONNET, BedrockModel, NoAnswer, TokenUsage, build_client_config
from handlers.common.text import WindowSizes, split_into_windows
from handlers.meetings.bedrock_summarize.models import Transcript
from handlers.meetings.bedrock_summarize.questions import (
    LocatedItem,
    Question,
    SummaryTask,
    locate_items,
    parse_action_items,
    to_transcript_lines,
)
from operations.command import CommandFailed, number_type, translate_errors

FOLDER = Path(__file__).resolve().parent
TRANSCRIPTS = FOLDER / "meeting_samples"
PRICES = FOLDER.parent / "policies" / "guardrails" / "pricing" / "prices.toml"
DEFAULTS = ModelSettings()
"""Default settings of the models that summarise meetings."""


@dataclass(frozen=True)
class FoundItems:
    """Action items that one model found in one transcript."""

    items: tuple[LocatedItem, ...]
    """Action items whose quotes occur in the transcript."""
    tokens: TokenUsage
    usable: bool = True
    """False if the model gave no usable answer about a window of the transcript. Then the items of its other windows do
    not count either, because `bedrock-summarize` would fail."""
    invented_quotes: int = 0
    """Number of items that were dropped because their quote does not occur in the transcript."""


def main(
    arguments: list[str] | None = None,
    *,
    client: Callable[..., Any] | None = None,
    print_line: Callable[[str], None] = print,
) -> int:
    """Run the comparison and return the exit status. Tests give `client`, which replaces `boto3.client`."""
    parser = argparse.ArgumentParser(prog="python -m operations.compare_models", description=__doc__)
    parser.add_argument("--transcripts", type=Path, default=TRANSCRIPTS, help="folder with transcripts as JSON files")
    parser.add_argument("--reference", default=SONNET, help="current model")
    parser.add_argument("--candidate", default=HAIKU, help="model that may replace it")
    parser.add_argument("--threshold", type=number_type(0, 1), default=0.8, help="minimum agreement, from 0 to 1")
    options = parser.parse_args(arguments)
    roles = {"reference": options.reference, "candidate": options.candidate}
    try:
        transcripts = _read_transcripts(options.transcripts)
        with translate_errors("Bedrock"):
            # Nothing repeats this command, unlike a Lambda function, so its calls may be repeated more often.
            retries = Config(retries={"mode": "standard", "total_max_attempts": 5})
            config = build_client_config(DEFAULTS.answer_seconds).merge(retries)
            bedrock = (client or boto3.client)("bedrock-runtime", config=config)
        print_line(f"asked at {bedrock.meta.endpoint_url}")
        found = {role: [find_items(bedrock, model, *named) for named in transcripts] for role, model in roles.items()}
    except (CommandFailed, KeyboardInterrupt) as error:
        sys.stderr.write(f"{str(error) or 'Interrupted: there is no result.'}\n")
        return 2
    if not any(result.items for result in found["reference"]):
        sys.stderr.write(
            f"{options.reference} found no action item in any transcript of {options.transcripts}: nothing to compare.\n"
        )
        return 2
    for role, model in roles.items():
        print_line(_summarize(role, model, found[role]))
    results = zip(found["reference"], found["candidate"], strict=True)
    pairs = [(reference.items, candidate.items) for reference, candidate in results]
    for (name, _), pair in zip(transcripts, pairs, strict=True):
        print_line(f"{name}: agreement {compute_agreement([pair]):.3f}")
    agreement = compute_agreement(pairs)
    passed = agreement >= options.threshold
    outcome = "passed" if passed else "not passed"
    print_line(f"\nagreement {agreement:.3f}, threshold {options.threshold:.3f}: {outcome}")
    if not passed:
        print_line(f"Keep meetings.models.actionItems at {options.reference}.")
        return 1
    print_line("Commit this to the stack file:")
    print_line(f'config:\n  polyphony:meetings:\n    models:\n      actionItems: "{options.candidate}"')
    return 0


def _read_transcripts(folder: Path) -> list[tuple[str, Transcript]]:
    try:
        files = sorted(folder.glob("*.json"))
        return [(file.stem, Transcript.model_validate_json(file.read_bytes())) for file in files]
    except (OSError, ValidationError):
        raise CommandFailed(
            f"{folder} has a JSON file that is no transcript as the function stores below transcripts/."
        ) from None


def find_items(bedrock: Any, model_id: str, name: str, transcript: Transcript) -> FoundItems:
    """Return the action items that a model finds in the transcript `name`. Raise CommandFailed if a call fails."""
    if not transcript.said:
        return FoundItems((), TokenUsage())
    # A window is the section of a transcript for one request. Its duration is not limited, only its characters are.
    sizes = WindowSizes(
        characters=DEFAULTS.part_characters, milliseconds=transcript.said[-1].end_ms + 1, overlap_characters=0
    )
    windows = split_into_windows(transcript.said, sizes)
    model, usages, items, invented = BedrockModel(bedrock, model_id), list[TokenUsage](), list[LocatedItem](), 0
    for window in windows:
        question = Question(
            SummaryTask.ACTION_ITEMS,
            to_transcript_lines(window),
            language=transcript.language,
            index=window.index,
            count=len(windows),
        )
        request = question.to_request(DEFAULTS.max_output_tokens)
        try:
            answered = model.ask(request, parse_action_items, usages.append)
        except (ClientError, BotoCoreError) as error:
            raise CommandFailed(
                f"{model_id} did not answer about {name} ({error_name(error)}). Check the credentials, the Region, "
                "the model id, and that the account may use the model."
            ) from None
        except NoAnswer:
            return FoundItems((), sum(usages, start=TokenUsage()), usable=False)
        located = locate_items(answered, window)
        items += located
        invented += len(answered) - len(located)
    return FoundItems(tuple(items), sum(usages, start=TokenUsage()), invented_quotes=invented)


Items = Sequence[LocatedItem]
"""Action items of one model in one transcript."""


def compute_agreement(pairs: Sequence[tuple[Items, Items]]) -> float:
    """Return the F1 score over the reference's and the candidate's items of each transcript; 1 if there are no items."""
    both = sum(_count_common(reference, candidate) for reference, candidate in pairs)
    total = sum(len(reference) + len(candidate) for reference, candidate in pairs)
    return 2 * both / total if total else 1.0


def _count_common(reference: Items, candidate: Items) -> int:
    """Return the number of items that both models found. Each item has at most one counterpart."""
    rest = list(candidate)
    for item in reference:
        if match := next((other for other in rest if _is_same(item, other)), None):
            rest.remove(match)
    return len(candidate) - len(rest)


def _is_same(item: LocatedItem, other: LocatedItem) -> bool:
    """Return True if at least one word of the transcript belongs to both quotes, and the owners match.

    Two names can mean the same person if one has all words of the other, for example a first name and the full name.
    """
    name, other_name = (set(re.findall(r"\w+", (located.item.owner or "").casefold())) for located in (item, other))
    same_owner = name == other_name or bool(name and other_name and (name <= other_name or other_name <= name))
    return same_owner and item.first_word <= other.last_word and other.first_word <= item.last_word


def compute_cost(model_id: str, tokens: TokenUsage) -> float | None:
    """Return the cost in USD, or None for a model without a price. The prices apply to requests of up to 100,000 tokens."""
    match = re.fullmatch(r"us\.anthropic\.claude-(sonnet|haiku)-5-5", model_id)
    if match is None:
        return None
    prices = tomllib.loads(PRICES.read_text(encoding="utf-8"))["Amazon Bedrock"]
    counts = {
        "input": tokens.input_tokens,
        "output": tokens.output_tokens,
        "cache_read": tokens.cache_read_tokens,
        "cache_write": tokens.cache_write_tokens,
    }
    return sum(count * float(prices[f"bedrock_{match[1]}_{kind}"]["usd"]) for kind, count in counts.items())


def _summarize(role: str, model_id: str, found: Sequence[FoundItems]) -> str:
    """Return a line with the items, tokens and cost of a model over all transcripts."""
    tokens = sum((result.tokens for result in found), start=TokenUsage())
    usd = compute_cost(model_id, tokens)
    return (
        f"{role} {model_id}: items {sum(len(result.items) for result in found)}, "
        f"invented quotes {sum(result.invented_quotes for result in found)}, "
        f"transcripts without a usable answer {sum(not result.usable for result in found)}, tokens in {tokens.all_input_tokens}, "
        f"tokens out {tokens.output_tokens}, {'no price' if usd is None else f'USD {usd:.5f}'}"
    )


if __name__ == "__main__":
    sys.exit(main())
