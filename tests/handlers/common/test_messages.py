"""Messages describe themselves to whoever generates schemas, and to nobody else."""

import os
import subprocess
import sys

import pytest

from local import ROOT

CODE = "from handlers.transcription.messages import Audio; print(Audio.model_fields['sequence'].description)"


@pytest.mark.parametrize(("environment", "described"), [({}, True), ({"AWS_LAMBDA_FUNCTION_NAME": "router"}, False)])
def test_a_function_that_starts_does_not_read_its_own_source(environment: dict[str, str], described: bool) -> None:
    given = {"PATH": os.environ["PATH"], **environment}
    shown = subprocess.run(  # noqa: S603 - the project's own
        [sys.executable, "-c", CODE], cwd=ROOT, env=given, capture_output=True, text=True, check=True
    )
    assert (shown.stdout != "None\n") is described
