"""Tests of the URL for tokens in the outputs of the local platform, and of the request in the documentation."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from components.frontend_output import Frontend
from local import ROOT
from local.emulation import identity_provider
from local.platform.lifecycle import _add_token_url

IDENTITY = {"auth": "none", "issuer": identity_provider.ISSUER, "audience": identity_provider.AUDIENCE}
FRONTEND = {"schemaVersion": 1, "environment": "local", "region": "us-east-1", "identity": IDENTITY}


def fake_emulator(port: int) -> Any:
    """Return a fake emulator that has only the address of its identity provider."""
    return SimpleNamespace(services={"JWKS_URL": f"http://127.0.0.1:{port}{identity_provider.KEYS_PATH}"})


def test_the_request_in_the_documentation_returns_a_token(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    [line] = re.findall(r"^curl .*$", (ROOT / "docs" / "frontend.md").read_text(), re.MULTILINE)
    without_identity = {"frontend": {"schemaVersion": 1}}
    assert _add_token_url(without_identity, fake_emulator(1)) == without_identity
    with identity_provider.serve() as port:
        frontend = _add_token_url({"frontend": FRONTEND}, fake_emulator(port))["frontend"]
        Frontend.model_validate(frontend)
        (tmp_path / "frontend.json").write_text(json.dumps(frontend, indent=2) + "\n")
        output = subprocess.run(line, shell=True, cwd=tmp_path, check=True, capture_output=True, text=True).stdout  # noqa: S602
    claims = jwt.decode(json.loads(output)["id_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["aud"]) == ("ann", identity_provider.AUDIENCE), "the documented request names ann"
