"""Makes the wildcards `*` and `?` of IAM policies match line breaks too, as they do on AWS.

In the emulator, they match any character except a line break. So each request about an S3 key with a line break would
be refused. The emulator's patterns also match a text with an additional line break at its end, which IAM's do not.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

import re
from functools import lru_cache

from ministack.core import iam_evaluator

from local.emulation import get_private
from local.emulation.iam.policy_conditions import MAX_CACHED_PATTERNS, compile_pattern


def install() -> None:
    """Replace `iam_evaluator._fnmatch_compile`."""
    get_private(iam_evaluator, "_fnmatch_compile")  # fails if the name is missing
    iam_evaluator._fnmatch_compile = _compile  # noqa: SLF001


@lru_cache(MAX_CACHED_PATTERNS)
def _compile(pattern: str, ignore_case: bool) -> "re.Pattern[str]":
    """Return a regular expression whose method `match` matches only whole texts. The emulator uses this method."""
    compiled = compile_pattern(pattern)
    return re.compile(rf"{compiled.pattern}\Z", compiled.flags | (re.IGNORECASE if ignore_case else 0))
