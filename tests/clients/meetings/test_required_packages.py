"""Test that the client runs without the packages of the functions and of the deployment."""

import subprocess
import sys

from local import ROOT

RUNTIME_ONLY = ("aws_lambda_powertools", "jwt", "cryptography", "components", "local")
"""Packages of the functions or the deployment, which the client must not need."""


def test_the_client_does_not_import_the_runtime_of_the_functions() -> None:
    code = "import sys, clients.meetings; print(*(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603
    assert not set(RUNTIME_ONLY) & set(done.stdout.split())
