"""Tests of the refusal of Athena queries."""

import pytest

from tests.local.emulation.emulator_python import run_in_emulator_python

pytestmark = pytest.mark.unit

SCRIPT = """
import asyncio, json
from ministack.services import athena
from local.emulation import athena_query_refusal
athena_query_refusal.install()
def send(action, request):
    headers = {"x-amz-target": f"AmazonAthena.{action}"}
    status, _, body = asyncio.run(athena.handle_request("POST", "/", headers, json.dumps(request).encode(), {}))
    return status, json.loads(body)
actions = json.load(sys.stdin)
print(json.dumps({action: send(action, request) for action, request in actions.items()}))
"""


def test_a_query_is_refused_and_the_other_operations_still_work() -> None:
    answers = run_in_emulator_python(
        SCRIPT, {"StartQueryExecution": {"QueryString": "SELECT 1"}, "ListQueryExecutions": {}, "ListWorkGroups": {}}
    )
    status, error = answers["StartQueryExecution"]
    assert (status, error["__type"]) == (400, "InvalidRequestException")
    assert error["message"] == (
        "The local platform has no Athena. To see the rows of an ingested file, open the page of `make console`."
    )
    assert answers["ListQueryExecutions"] == [200, {"QueryExecutionIds": []}]
    assert [group["Name"] for group in answers["ListWorkGroups"][1]["WorkGroups"]] == ["primary"]
