"""Test that the client can be used without the packages that only the Lambda functions or the deployment need."""

import subprocess
import sys

from local import ROOT

BACKEND_PACKAGES = {"aws_lambda_powertools", "jwt", "cryptography", "components", "local"}


def test_the_client_imports_no_packages_of_the_functions_or_of_the_deployment() -> None:
    code = "import sys, clients.meetings; print(*(name.partition('.')[0] for name in sys.modules))"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603
    assert not BACKEND_PACKAGES & set(process.stdout.split())
