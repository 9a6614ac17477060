"""Rolling transcription back and out on the local platform, watched over a WebSocket: what callers get is what counts."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.flows.transcription_client import Captioning, Speaker
from operations.__main__ import main
from tests.end_to_end.conftest import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
FUNCTION = "transcription/audio-processor"
SENTENCE = "we speak in tones and captions come back"
ALARM = "polyphony-local-transcription-latency-critical"
"""The one that is watched here: other tests make others ring, on purpose."""


def captions_before_the_final(captioning: Captioning) -> int:
    """Speaks a sentence; how many captions came before it was final."""
    with Speaker(captioning.url) as speaker:
        speaker.open(encoding="ogg-opus")
        speaker.say("u1", SENTENCE)
        speaker.done("u1", SENTENCE)
        assert len(speaker.screen.text()) == 1
        return sum(not one["final"] for one in speaker.screen.shown)


class Operator:
    """Gives commands; time passes when one waits, and something may happen meanwhile."""

    def __init__(self, platform: Platform) -> None:
        self._client = platform.client
        self.said: list[str] = []
        self.now = 0.0
        self.meanwhile: Any = lambda: None

    def __call__(self, command: str, *arguments: str) -> int:
        given = [command, "--stack", "local", FUNCTION, *arguments]
        if command == "flag":  # the emulator takes its own time for an update
            return main(given, clients=self._client, print_line=self.said.append)
        return main(given, clients=self._client, clock=lambda: self.now, wait=self._wait, print_line=self.said.append)

    def _wait(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()

    def alias(self) -> dict[str, Any]:
        found = self._client("lambda").get_alias(
            FunctionName="polyphony-local-transcription-audio-processor", Name="live"
        )
        weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return {"version": found["FunctionVersion"], "weights": weights}


@pytest.fixture
def operator(platform: Platform) -> Iterator[Operator]:
    """Whatever a test does, the version that was deployed serves all callers afterwards."""
    made = Operator(platform)
    deployed = made.alias()["version"]
    yield made
    platform.client("cloudwatch").set_alarm_state(AlarmName=ALARM, StateValue="OK", StateReason="the test is over")
    if made.alias() != {"version": deployed, "weights": {}}:
        assert made("alias", "--to", deployed) == 0


def test_a_flag_changes_what_callers_get_and_an_alias_takes_it_back(operator: Operator, captioning: Captioning) -> None:
    before = operator.alias()["version"]
    assert captions_before_the_final(captioning) > 0
    assert operator("flag", "PARTIAL_RESULTS_ENABLED=false") == 0
    assert captions_before_the_final(captioning) == 0
    assert any("partialResultsEnabled: false" in line for line in operator.said), "the setting to commit"
    variables = captioning.client("lambda").get_function_configuration(
        FunctionName=captioning.processor, Qualifier="live"
    )["Environment"]["Variables"]
    assert variables["SESSIONS_TABLE_NAME"], "the other variables are as they were"
    assert operator("alias", "--to", before) == 0
    assert captions_before_the_final(captioning) > 0
    assert any(f'liveVersion: "{before}"' in line for line in operator.said)


def test_a_version_is_rolled_out_if_nothing_rings(operator: Operator, captioning: Captioning) -> None:
    before = operator.alias()["version"]
    operator("flag", "PARTIAL_RESULTS_ENABLED=false")
    after = operator.alias()["version"]
    operator("alias", "--to", before)
    shares = set[float]()
    operator.meanwhile = lambda: shares.update(operator.alias()["weights"].values())
    assert operator("rollout", "--to", after, "--minutes", "5", "--every", "60", "--alarms", "latency") == 0
    assert shares == {0.1}
    assert operator.alias() == {"version": after, "weights": {}}
    assert captions_before_the_final(captioning) == 0


def test_a_version_that_makes_an_alarm_ring_goes_back_by_itself(
    operator: Operator, platform: Platform, captioning: Captioning
) -> None:
    before = operator.alias()["version"]
    operator("flag", "PARTIAL_RESULTS_ENABLED=false")
    after = operator.alias()["version"]
    operator("alias", "--to", before)
    operator.meanwhile = lambda: platform.client("cloudwatch").set_alarm_state(
        AlarmName=ALARM, StateValue="ALARM", StateReason="captions are late"
    )
    assert operator("rollout", "--to", after, "--minutes", "5", "--every", "60", "--alarms", "latency") == 1
    assert operator.alias() == {"version": before, "weights": {}}
    assert captions_before_the_final(captioning) > 0
    assert any("latency" in line for line in operator.said), "which alarm it was"
