"""The command that puts all pending files of the local platform into manifests."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from local.flows import ingestion_client
from local.flows.ingestion_client import SWEEPER, flush_pending_files
from local.platform import lifecycle
from local.platform.frontend_file import FrontendUnavailable

pytestmark = pytest.mark.unit
SWEEP = {"manifests": 1, "files": 2}


class FakeLambda:
    """Lambda that answers every invocation with the result of a sweep."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self.calls.append((FunctionName, json.loads(Payload)))
        return {"Payload": io.BytesIO(json.dumps(SWEEP).encode())}


def test_a_flush_invokes_the_sweeper_of_the_running_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service, endpoints = FakeLambda(), list[str]()

    def create_clients(endpoint: str) -> Any:
        endpoints.append(endpoint)
        return {"lambda": service}.__getitem__

    platforms = {tmp_path: {"endpoint": "http://127.0.0.1:1", "outputs": {}, "ids": {SWEEPER: "the-sweeper"}}}
    monkeypatch.setattr(lifecycle, "find_running_platform", platforms.get)
    monkeypatch.setattr(ingestion_client, "EmulatorClients", create_clients)
    assert flush_pending_files(tmp_path) == SWEEP
    assert (endpoints, service.calls) == (["http://127.0.0.1:1"], [("the-sweeper:live", {"kind": "flush"})])


@pytest.mark.parametrize("running", [None, {"endpoint": "http://127.0.0.1:1", "outputs": {}, "ids": {}}])
def test_a_flush_without_a_complete_platform_says_what_to_do(
    running: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "find_running_platform", lambda _: running)
    with pytest.raises(FrontendUnavailable, match="start it with `make up`"):
        flush_pending_files(tmp_path)
