"""Test that the local platform refuses Athena queries."""

from tests.local.emulation.emulator_python import run_in_emulator_python

SCRIPT = """
import asyncio, json
from ministack.services import athena
from local.emulation import athena_query_refusal

athena_query_refusal.install()
headers = {"x-amz-target": "AmazonAthena.StartQueryExecution"}
status, _, body = asyncio.run(athena.handle_request("POST", "/", headers, b'{"QueryString": "SELECT 1"}', {}))
print(json.dumps([status, json.loads(body)]))
"""


def test_a_query_is_refused_with_the_reason() -> None:
    status, error = run_in_emulator_python(SCRIPT, None)
    assert (status, error["__type"]) == (400, "InvalidRequestException")
    assert "The local platform has no Athena." in error["message"]
