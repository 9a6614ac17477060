"""Tests of command-line arguments that name a function and a version, and of the names on AWS that belong to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.blocks.compute import function
from components.blocks.naming.physical_names import Kind, physical_name, stack_part
from operations.command_errors import CommandFailed
from operations.function_target import LIVE, FunctionTarget, parse_version

PART = st.from_regex(r"[a-z0-9]{1,30}(-[a-z0-9]{1,30}){0,3}", fullmatch=True)


@given(stack=st.sampled_from(["dev", "prod", "feature/x", "Team_A"]), subsystem=PART, function_name=PART)
def test_function_and_alarm_names_are_those_of_the_deployment(stack: str, subsystem: str, function_name: str) -> None:
    target = FunctionTarget.parse(stack, f"{subsystem}/{function_name}")
    parts = ["polyphony", stack_part(stack), subsystem]
    assert target.function_name == physical_name(Kind.FUNCTION, [*parts, function_name])
    assert target.alarm_prefix == f"polyphony-{stack_part(stack)}-{subsystem}-"
    assert LIVE == function.LIVE


@pytest.mark.parametrize("path", ["", "audio-processor", "a/b/c", "A/b", "a/b_c", "a/-b", "a/b-", "a/b\n", "/b", "a/"])
def test_a_malformed_function_path_is_refused(path: str) -> None:
    with pytest.raises(CommandFailed, match="give <subsystem>/<function>"):
        FunctionTarget.parse("dev", path)


def test_a_stack_without_letters_or_digits_is_refused() -> None:
    with pytest.raises(CommandFailed, match="no letter or digit"):
        FunctionTarget.parse("//", "transcription/audio-processor")


def test_a_printed_command_can_be_pasted_into_a_shell() -> None:
    target = FunctionTarget.parse("my stack", "transcription/audio-processor")
    assert target.alias_command("6") == (
        ".venv/bin/python -m operations alias --stack 'my stack' transcription/audio-processor --to 6"
    )


@pytest.mark.parametrize(
    ("text", "expected_error"),
    [
        *((text, "is not a version") for text in ("0", "07", "-1", "1.5", "live", "", "12345678901", "7\n")),
        ("$LATEST", "changes with each update"),
        ("$latest", "changes with each update"),
    ],
)
def test_only_numbers_of_published_versions_are_accepted(text: str, expected_error: str) -> None:
    with pytest.raises(CommandFailed, match=expected_error):
        parse_version(text)
