"""The words at which the local model fails, in its own name or in what was said, so that a transcript drives every
failure.

`throttled` fails each time, `throttled 2 times` twice for the same cues: the next attempt is answered. So is it after
`throttled again`, which the vocabulary of the tones has. It decides which word does what; the errors and reasons for
stopping are the service's. The first such word counts, the model's before all.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """What goes wrong; the value is the word."""

    THROTTLED = "throttled"
    """ThrottlingException."""
    UNAVAILABLE = "unavailable"
    """ServiceUnavailableException."""
    LATE = "late"
    """ModelTimeoutException."""
    DENIED = "denied"
    """AccessDeniedException."""
    GUARDED = "guarded"
    """The guardrail stops the answer."""
    TRUNCATED = "truncated"
    """The answer breaks off in its middle, at the limit of its tokens."""
    REPEATING = "repeating"
    """So it does: the model says the same over and over."""
    MALFORMED = "malformed"
    """The answer is no JSON."""
    FENCED = "fenced"
    """The answer stands in a code fence."""
    FOREIGN = "foreign"
    """The answer is about another window, or another part of a meeting."""
    INVENTED = "invented"
    """The first claim or action item quotes what nobody said."""
    SOURCELESS = "sourceless"
    """Each verdict is certain, and rests on nothing."""
    OVERCONFIDENT = "overconfident"
    """The confidence of the first claim is beyond all measure; the first action item stands nowhere."""
    FORGETFUL = "forgetful"
    """Every second claim or action item is left out."""


@dataclass(frozen=True)
class Script:
    """What is to go wrong, and how often; None is always."""

    fault: Fault
    times: int | None


_SCRIPT = re.compile(rf"\b({'|'.join(Fault)})\b(?: (?:([0-9]{{1,2}}) times|(again)\b))?")
_AGAIN = 2
_NO_QUOTE = "The moon was bought by a ferry company in a year that nobody remembers."


def script_of(model: str, said: str) -> Script | None:
    """What a model's name or a transcript asks for, if it asks for anything."""
    found = _SCRIPT.search(model) or _SCRIPT.search(said.lower())
    if found is None:
        return None
    fault, times, again = found.groups()
    return Script(Fault(fault), _AGAIN if again else None if times is None else int(times))


def spoiled(fault: Fault | None, answer: dict[str, Any]) -> str:
    """The answer's text, with what is wrong in it."""
    items = answer.get("claims") or answer.get("items") or []
    match fault:
        case Fault.MALFORMED:
            return "Here is what I found: " + json.dumps(answer)[:-1]
        case Fault.FENCED:
            return f"```json\n{json.dumps(answer, indent=1)}\n```"
        case Fault.FOREIGN:
            answer["window" if "window" in answer else "part"] = "another"
        case Fault.INVENTED if items:
            items[0]["quote"] = _NO_QUOTE
        case Fault.SOURCELESS:
            for item in items:
                item.update(verdict="refuted", confidence=1.0, sources=[])
        case Fault.OVERCONFIDENT if items:
            items[0].update(confidence=11, said=-1)
        case Fault.FORGETFUL:
            del items[1::2]
        case _:
            pass
    return json.dumps(answer)
