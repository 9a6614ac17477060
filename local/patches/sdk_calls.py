"""Step Functions' SDK integrations, called as they are on AWS: over the wire, with the state machine's own role.

The emulator calls its services behind IAM's back, and knows few of them. Here each call is signed as the role, so that
whoever answers it judges it, and goes where any other caller of the service goes. What of a service's API there is,
botocore's model says. https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

import os
import re
import threading
from collections.abc import Mapping
from typing import Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, UnknownServiceError
from ministack.services import stepfunctions

from local.patches import reached
from local.patches.casing import UnknownField, error_name, pascal, service_prefix, to_api, to_states
from local.patches.integrations import failed
from local.patches.itself import endpoint
from local.patches.sessions import opened
from local.patches.workflow_roles import waiting

NAMES = {"cloudwatchlogs": "logs", "eventbridge": "events", "sfn": "stepfunctions"}
"""Services that the SDK for Java names otherwise than botocore."""
_RESOURCE = re.compile(r"arn:aws:states:::aws-sdk:(?P<service>[a-z0-9]+):(?P<action>[A-Za-z0-9]+)(\.[A-Za-z0-9:]+)?")
_SESSION = "states"


def install() -> None:
    """Replaces `stepfunctions._invoke_aws_sdk_integration`."""
    reached(stepfunctions, "_invoke_aws_sdk_integration")
    stepfunctions._invoke_aws_sdk_integration = SdkCalls()  # noqa: SLF001


class SdkCalls:
    """Calls any service that botocore knows."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def __call__(self, resource: str, given: Mapping[str, Any]) -> Any:
        found = _RESOURCE.fullmatch(resource)
        if found is None:
            raise failed("States.Runtime", f"{resource} is no SDK integration")
        client = self._client(found["service"], waiting().role)
        model = client.meta.service_model
        names = {pascal(name): name for name in model.operation_names}
        action = found["action"][:1].upper() + found["action"][1:]
        if found["action"][:1].isupper() or action not in names:
            raise failed("States.Runtime", f"{found['service']} has no action {found['action']}")
        operation = model.operation_model(names[action])
        try:
            parameters = to_api(given or {}, operation.input_shape, "Arguments")
        except UnknownField as unknown:
            raise failed("States.Runtime", str(unknown)) from None
        try:
            answer = getattr(client, xform_name(operation.name))(**parameters)
        except ClientError as error:
            raise _failure(operation, error) from None
        except BotoCoreError as error:
            raise failed(f"{service_prefix(model)}.SdkClientException", str(error)) from None
        return to_states(answer, operation.output_shape) or {}

    def _client(self, service: str, role: str) -> Any:
        with self._lock:
            if (service, role) not in self._clients:
                self._clients[service, role] = _client(service, role)
            return self._clients[service, role]


def _client(service: str, role: str) -> Any:
    session: Any = opened(role, _SESSION).boto3()
    name = NAMES.get(service, service)
    try:
        model = session._session.get_service_model(name)  # noqa: SLF001 - boto3 has no other way to ask
    except UnknownServiceError:
        raise failed(
            "States.Runtime", f"local/patches/sdk_calls.py does not know what botocore calls {service}"
        ) from None
    variable = f"AWS_ENDPOINT_URL_{str(model.service_id).upper().replace(' ', '_')}"
    return session.client(
        name,
        endpoint_url=os.environ.get(variable, endpoint()),
        # What a state gives is for the service to judge.
        config=Config(
            proxies={},
            parameter_validation=False,
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
        ),
    )


def _failure(operation: Any, error: ClientError) -> Exception:
    about, answer = error.response["Error"], error.response["ResponseMetadata"]
    told = f"Service: {operation.service_model.service_id}, Status Code: {answer['HTTPStatusCode']}"
    return failed(
        error_name(operation, about.get("Code", "")),
        f"{about.get('Message', '')} ({told}, Request ID: {answer.get('RequestId', '')})",
    )
