"""Tests of the command `verify`: its results, exit status and errors. The end-to-end tests run it on the local platform."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from local.flows import USER, Stack, StepReporter
from local.flows.flow_registry import FLOWS, Flow
from operations.__main__ import main
from operations.verify import TOKEN_VARIABLES

LIMITS = {"maxVideoGigabytes": 50, "maxTranscriptMegabytes": 20}
LIVESTREAM = {"apiUrl": "https://api.example.com/v1", "authorizer": "jwt", "routes": ["GET /episodes"], **LIMITS}
FRONTEND = {"schemaVersion": 1, "environment": "local", "region": "us-east-1", "livestream": LIVESTREAM}
REFUSED = "InvalidStatus: server rejected WebSocket connection: HTTP 401"
ADVICE = "the token may be invalid or expired: set POLYPHONY_TOKEN_A and POLYPHONY_TOKEN_B again"
Play = Callable[[Stack, StepReporter], list[str]]
Verify = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verify:
    """Return a function that runs the command with a flow of livestream, and returns exit status and output."""
    for variable in TOKEN_VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)

    def run(play: Play, **changes: object) -> tuple[int, list[str]]:
        path, lines = tmp_path / "frontend.json", list[str]()
        path.write_text(json.dumps({**FRONTEND, **changes}), encoding="utf-8")
        monkeypatch.setitem(FLOWS, "livestream", Flow("episodes", "", "", play))
        status = main(["verify", "--stack", "dev", "--frontend", str(path)], print_line=lines.append)
        return status, lines

    return run


def report_and_find_problems(_stack: Stack, report_step: StepReporter) -> list[str]:
    report_step("created an episode")
    return ["number of claims: got 0, expected 1"]


def raise_error(_stack: Stack, report_step: StepReporter) -> list[str]:
    report_step("created an episode")
    raise TimeoutError("no answer from https://api.example.com/v1?X-Amz-Signature=abc after 5 s")


def refuse_token(_stack: Stack, report_step: StepReporter) -> list[str]:
    report_step("created an episode")
    raise InvalidStatus(Response(401, "Unauthorized", Headers()))


def use_token(stack: Stack, _report_step: StepReporter) -> list[str]:
    return [] if stack.token(USER) == "secret-token" else ["wrong token"]


@pytest.mark.parametrize(
    ("play", "result"),
    [
        (report_and_find_problems, "  failed: number of claims: got 0, expected 1"),
        (raise_error, "  failed: TimeoutError: no answer from https://api.example.com/v1?… after 5 s"),
        (refuse_token, f"  failed: {REFUSED}; {ADVICE}"),
    ],
)
def test_a_failed_flow_is_reported_with_its_reason_and_exit_status_1(verify: Verify, play: Play, result: str) -> None:
    status, lines = verify(play)
    assert (status, lines[-2]) == (1, "  skipped: the stack has no meetings")
    step, outcome = lines[lines.index("livestream: episodes") + 1 :][:2]
    assert step.endswith("s  created an episode")
    assert outcome == result
    assert "livestream: failed; meetings: skipped" in lines[-1]


def test_a_flow_that_works_with_the_token_of_the_environment_gives_the_exit_status_0(
    verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLES[USER], "secret-token")
    status, lines = verify(use_token)
    assert (status, "  works" in lines) == (0, True)
    assert "secret-token" not in "".join(lines)


def test_flows_without_a_token_are_skipped_and_nothing_verified_is_an_error(
    verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    status, lines = verify(use_token)
    assert status == 2
    assert any("set POLYPHONY_TOKEN_A and POLYPHONY_TOKEN_B" in line for line in lines)
    assert "nothing was verified" in capsys.readouterr().err


def test_an_output_of_another_version_is_refused(verify: Verify, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(use_token, schemaVersion=2) == (2, [])
    assert "see schemaVersion" in capsys.readouterr().err
