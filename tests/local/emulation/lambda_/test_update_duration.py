"""Test of the time for which a changed function is pending, with the emulator's own module."""

import pytest

from tests.local.emulation.emulator_python import run_in_emulator_python

SCRIPT = """
import json
from ministack.services import lambda_svc
from local.emulation.lambda_ import update_duration

delays = []
lambda_svc._schedule_state_transition = lambda name, delay: delays.append(delay)
lambda_svc._functions["one"] = {"config": {"FunctionName": "one"}}
lambda_svc._update_code("one", {"Architectures": ["arm64"]})
update_duration.install()
lambda_svc._update_code("one", {"Architectures": ["arm64"]})
print(json.dumps(delays))
"""


def test_a_changed_function_is_pending_for_a_shorter_time() -> None:
    before, after = run_in_emulator_python(SCRIPT, None)
    assert after == pytest.approx(0.02)
    assert before > 10 * after
