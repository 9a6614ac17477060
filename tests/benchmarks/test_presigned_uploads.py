"""Test that the functions which presign uploads create their AWS clients once, not for each request."""

import importlib
from collections.abc import Iterator
from typing import Any

import botocore.loaders
import botocore.session
import pytest

from benchmarks.fake_aws_process import start_fake_aws
from benchmarks.presigned_uploads import AWS_VARIABLES, UPLOAD_REQUESTS, answer_call


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with start_fake_aws(answer_call) as url:
        yield url


@pytest.mark.parametrize("name", UPLOAD_REQUESTS)
def test_a_request_creates_no_client_and_loads_no_service_model(
    name: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = UPLOAD_REQUESTS[name]
    variables = {**AWS_VARIABLES, **request.environment}
    del variables["AWS_LAMBDA_RUNTIME_API"]  # with this variable, an imported handler creates its clients at once
    for variable in ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_S3"):
        variables[variable] = endpoint
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    module: Any = importlib.import_module(request.module)
    # A handler's module caches its clients in one of these functions.
    create_clients = module._rest if hasattr(module, "_rest") else module._handler
    create_clients.cache_clear()
    try:
        create_clients()  # as the import does in Lambda
        monkeypatch.setattr(botocore.session.Session, "create_client", fail)
        monkeypatch.setattr(botocore.loaders.Loader, "load_service_model", fail)
        for _ in range(2):
            assert "x-amz-signature" in module.handler(request.event, None)["body"].lower()
    finally:
        create_clients.cache_clear()


def fail(*_: Any, **__: Any) -> None:
    raise AssertionError("a request must use the existing clients")
