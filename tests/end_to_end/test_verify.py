"""Test of the operator's command `verify` on the local platform, which it uses as it would use a stack on AWS.

It gets the output `frontend`, credentials, and the address of the platform in the variables of the AWS SDKs.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local import ROOT
from local.flows.flow_registry import FLOWS
from local.platform.emulator import ROOT_ACCESS_KEY
from tests.end_to_end.conftest import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.media, pytest.mark.xdist_group("platform")]


def test_verify_runs_every_flow_as_on_aws_and_reports_that_each_works(platform: Platform, tmp_path: Path) -> None:
    frontend = tmp_path / "frontend.json"
    frontend.write_text(json.dumps(platform.outputs["frontend"]), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    credentials = {"AWS_ACCESS_KEY_ID": ROOT_ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": ROOT_ACCESS_KEY}
    result = subprocess.run(  # noqa: S603 - the arguments are constants
        [sys.executable, "-m", "operations", "verify", "--stack", "local", "--frontend", str(frontend)],
        cwd=ROOT,
        env={**environment, **credentials, "AWS_ENDPOINT_URL": platform.emulator.endpoint},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    assert result.stdout.splitlines()[-1] == "; ".join(f"{name}: works" for name in FLOWS)
    assert "the rows come with the next manifest, after 60 min at most" in result.stdout
