"""Tests of the operator's commands `flag`, `alias` and `rollout` on the deployed transcription.

The commands change which version of the audio processor is live. A client notices it, because the versions differ in
the environment variable `PARTIAL_RESULTS_ENABLED`: only one of them sends partial captions, which may still change.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from local.flows.transcription_client import Speaker
from operations.__main__ import main
from tests.end_to_end.backends import DeployedTranscription
from tests.end_to_end.platform_under_test import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
FUNCTION = "transcription/audio-processor"
CLIP = "hello"
ALARM = "polyphony-local-transcription-latency-critical"
"""The only alarm that the rollouts in these tests observe."""


def count_partial_captions(transcription: DeployedTranscription) -> int:
    """Speak a sentence and return the number of partial captions."""
    with Speaker(transcription) as speaker:
        speaker.open(encoding="ogg-opus")
        speaker.say("u1", CLIP)
        speaker.wait_until_done("u1", CLIP)
        assert len(speaker.screen.text()) == 1
        return sum(not caption["final"] for caption in speaker.screen.shown)


class Operator:
    """Harness that runs operator's commands with a fake clock, and calls `during_wait` whenever a command waits."""

    def __init__(self, platform: Platform) -> None:
        self._client = platform.client
        self.output: list[str] = []
        self.now = 0.0
        self.during_wait: Any = lambda: None

    def run(self, command: str, *arguments: str) -> int:
        target = [] if "--all" in arguments else [FUNCTION]
        command_line = [command, "--stack", "local", *target, *arguments]
        return main(
            command_line, clients=self._client, clock=lambda: self.now, wait=self._wait, print_line=self.output.append
        )

    def _wait(self, seconds: float) -> None:
        self.now += seconds
        self.during_wait()

    def read_alias(self) -> dict[str, Any]:
        alias = self._client("lambda").get_alias(
            FunctionName="polyphony-local-transcription-audio-processor", Name="live"
        )
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return {"version": alias["FunctionVersion"], "weights": weights}


@pytest.fixture
def operator(platform: Platform) -> Iterator[Operator]:
    """Operator of the audio processor. The fixture restores the deployed version after the test."""
    operator_harness = Operator(platform)
    deployed_version = operator_harness.read_alias()["version"]
    yield operator_harness
    platform.client("cloudwatch").set_alarm_state(AlarmName=ALARM, StateValue="OK", StateReason="the test is over")
    if operator_harness.read_alias() != {"version": deployed_version, "weights": {}}:
        assert operator_harness.run("alias", "--to", deployed_version) == 0


def test_a_flag_takes_effect_and_the_alias_command_reverts_it(
    operator: Operator, transcription: DeployedTranscription
) -> None:
    old_version = operator.read_alias()["version"]
    assert operator.run("flag", "PARTIAL_RESULTS_ENABLED=false") == 0
    assert count_partial_captions(transcription) == 0
    variables = transcription.client("lambda").get_function_configuration(
        FunctionName=transcription.processor, Qualifier="live"
    )["Environment"]["Variables"]
    assert variables["SESSIONS_TABLE_NAME"], "the other variables are unchanged"
    assert operator.run("alias", "--to", old_version) == 0
    assert count_partial_captions(transcription) > 0
    assert any(f'liveVersion: "{old_version}"' in line for line in operator.output), "the setting to commit"


def test_a_rollout_is_reverted_if_an_alarm_is_raised_and_completes_otherwise(
    operator: Operator, platform: Platform
) -> None:
    old_version = operator.read_alias()["version"]
    operator.run("flag", "PARTIAL_RESULTS_ENABLED=false")
    new_version = operator.read_alias()["version"]
    operator.run("alias", "--to", old_version)
    rollout = ("rollout", "--all", "--share", "10", "50", "--minutes", "5", "--alarms", "latency")
    alarms = platform.client("cloudwatch")
    operator.during_wait = lambda: alarms.set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason="late")
    assert operator.run(*rollout) == 1
    assert operator.read_alias() == {"version": old_version, "weights": {}}
    assert any("latency" in line for line in operator.output), "the output names the alarm"
    alarms.set_alarm_state(AlarmName=ALARM, StateValue="OK", StateReason="fixed")
    shares = set[float]()
    operator.during_wait = lambda: shares.update(operator.read_alias()["weights"].values())
    assert operator.run(*rollout) == 0
    assert shares == {0.1, 0.5}
    assert operator.read_alias() == {"version": new_version, "weights": {}}
