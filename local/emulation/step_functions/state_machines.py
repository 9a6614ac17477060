"""Step Functions' tasks, with the permissions of the state machine's role.

The emulator checks no permission, and lacks the integrations of Batch and Glue and most of the AWS SDK's. Here, the
actions of an optimized integration are judged from the role's policies. An SDK call is signed with the role's
credentials and sent to the service, which judges it as it judges any other caller.
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

import contextvars
import os
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import create_loader
from botocore.model import OperationModel, ServiceModel
from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions

from local.emulation import reached, replace
from local.emulation.batch import batch_service
from local.emulation.emulator_account import endpoint, open_session
from local.emulation.iam.service_roles import ServiceRoles
from local.emulation.step_functions.parameter_names import (
    UnknownField,
    error_name,
    pascal,
    service_prefix,
    to_api,
    to_states,
)

Given = Mapping[str, Any]
Permissions = list[tuple[str, str]]
"""Actions, each with its resource."""
LAMBDA, GLUE, BATCH = (f"arn:aws:states:::{name}" for name in ("lambda:invoke", "glue:startJobRun", "batch:submitJob"))
_SDK_CALL = re.compile(r"arn:aws:states:::aws-sdk:(?P<service>[a-z0-9]+):(?P<action>[a-z][A-Za-z0-9]+)")
_role: contextvars.ContextVar[str] = contextvars.ContextVar("state_machine_role", default="")
"""The ARN of the role of the execution that runs in this context."""


def failed(error: str, cause: str) -> Exception:
    """Return the error that fails a task: the name that a workflow catches, and the cause."""
    found: Exception = reached(stepfunctions, "_ExecutionError")(error, cause)
    return found


class StateMachines:
    """The tasks of all state machines."""

    def __init__(self, roles: ServiceRoles, jobs: batch_service.Batch, run_glue_job: Callable[[Given], Given]) -> None:
        self._roles = roles
        self._jobs = jobs
        self._run_glue_job = run_glue_job
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def install(self) -> None:
        """Replace three functions of `stepfunctions`, and extend `_SERVICE_DISPATCH`."""
        replace(stepfunctions, "_run_execution", _run)
        replace(stepfunctions, "_invoke_resource", self._invoke)
        replace(stepfunctions, "_invoke_aws_sdk_integration", self._call_service)
        reached(stepfunctions, "_SERVICE_DISPATCH").update(
            {GLUE: lambda _resource, given: self._run_glue_job(given), BATCH: self._submit_job}
        )

    def _invoke(self, invoke: Any, resource: str, given: Any) -> Any:
        for action, target in _permissions(resource, given):
            if not self._roles.may(_role.get(), action, target):
                raise failed("States.TaskFailed", f"{_role.get()} is not authorized to perform {action} on {target}")
        return invoke(resource, given)

    def _submit_job(self, _resource: str, given: Given) -> Any:
        model = ServiceModel(create_loader().load_service_model("batch", "service-2"), "batch")
        operation = model.operation_model("SubmitJob")
        try:
            return to_states(self._jobs.submit(_parameters(given, operation)), operation.output_shape)
        except batch_service.ClientError as error:
            raise failed("Batch.ClientException", str(error)) from None

    def _call_service(self, _call: Any, resource: str, given: Given) -> Any:
        found = _SDK_CALL.fullmatch(resource)
        if found is None:
            raise failed("States.Runtime", f"{resource} is no SDK integration")
        client = self._client(found["service"])
        model = client.meta.service_model
        operations = {pascal(name): name for name in model.operation_names}
        action = found["action"][:1].upper() + found["action"][1:]
        if action not in operations:
            raise failed("States.Runtime", f"{found['service']} has no action {found['action']}")
        operation = model.operation_model(operations[action])
        try:
            answer = getattr(client, xform_name(operation.name))(**_parameters(given, operation))
        except ClientError as error:
            about = error.response["Error"]
            raise failed(error_name(operation, about.get("Code", "")), about.get("Message", "")) from None
        except BotoCoreError as error:
            raise failed(f"{service_prefix(model)}.SdkClientException", str(error)) from None
        return to_states(answer, operation.output_shape) or {}

    def _client(self, service: str) -> Any:
        """Return a client of a service that is signed with the role of this execution."""
        with self._lock:
            if (service, _role.get()) not in self._clients:
                session: Any = open_session(_role.get(), "states").boto3()
                self._clients[service, _role.get()] = session.client(
                    service,
                    endpoint_url=os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}", endpoint()),
                    # The service itself judges what a state gives it.
                    config=Config(proxies={}, parameter_validation=False, retries={"total_max_attempts": 1}),
                )
            return self._clients[service, _role.get()]


def _run(run: Any, execution_arn: str) -> Any:
    execution = reached(stepfunctions, "_executions").get(execution_arn) or {}
    machine = reached(stepfunctions, "_state_machines").get(execution.get("stateMachineArn", "")) or {}
    _role.set(machine.get("roleArn", ""))
    return run(execution_arn)


def _parameters(given: Given, operation: OperationModel) -> Any:
    try:
        return to_api(given or {}, operation.input_shape, "Arguments")
    except UnknownField as unknown:
        raise failed("States.Runtime", str(unknown)) from None


def _permissions(resource: str, given: Given) -> Permissions:
    """Return what Step Functions calls in the role's name (its guide, "IAM policies for integrated services")."""
    if resource.startswith(LAMBDA):
        return [("lambda:InvokeFunction", str(given["FunctionName"]))]
    if resource.startswith(GLUE):
        job = f"arn:aws:glue:{get_region()}:{get_account_id()}:job/{given['JobName']}"
        return [("glue:StartJobRun", job), ("glue:GetJobRun", job)]
    if resource.startswith(BATCH):
        try:
            # IAM is asked about the revision that is run, even if the state names none.
            definition = batch_service.definition_of(str(given["JobDefinition"]))["jobDefinitionArn"]
        except batch_service.ClientError:
            return []  # the submission fails and says why
        return [("batch:SubmitJob", definition), ("batch:SubmitJob", str(given["JobQueue"]))]
    return []
