"""Runs Lambda, Batch, Glue and AWS SDK tasks of Step Functions with the permissions of the state machine's role. It
replaces functions of the emulator, MiniStack.

A call of Lambda, Batch or Glue by an optimized integration is checked against the role's policies. An SDK call is signed
with the role's credentials and sent to the service, which checks it itself. All other tasks run unchecked.
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html

| correction | service | ministack | AWS | needed for |
|---|---|---|---|---|
| `task_permissions` | Step Functions | runs tasks without a permission | runs them with the state machine's role | unused and missing grants are found |
| `batch_and_glue_tasks` | Step Functions | lacks the integrations of Batch and Glue | has them | the workflows of meetings and ingestion |
| `sdk_tasks` | Step Functions | lacks most AWS SDK integrations, for example of Transcribe | has one for each operation, and names its errors | the workflows of meetings and ingestion |
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

from local.emulation import get_private, wrap_function
from local.emulation.batch import batch_service
from local.emulation.emulator_account_access import endpoint, open_session
from local.emulation.iam.service_call_permissions import ServiceCallPermissions
from local.emulation.step_functions.parameter_name_conversion import (
    UnknownField,
    error_name,
    service_prefix,
    to_api_parameters,
    to_pascal_case,
    to_state_result,
)

Parameters = Mapping[str, Any]
RequiredActions = list[tuple[str, str]]
"""Pairs of an IAM action that the role must allow for a task, and its resource."""
LAMBDA, GLUE, BATCH = (f"arn:aws:states:::{name}" for name in ("lambda:invoke", "glue:startJobRun", "batch:submitJob"))
"""Beginnings of a task's `Resource` for optimized integrations. An ending such as `.sync` can follow."""
_SDK_CALL = re.compile(r"arn:aws:states:::aws-sdk:(?P<service>[a-z0-9]+):(?P<action>[a-z][A-Za-z0-9]+)")
_role: contextvars.ContextVar[str] = contextvars.ContextVar("state_machine_role", default="")
"""ARN of the role of the state machine whose execution runs in this context."""


def task_error(error: str, cause: str) -> Exception:
    """Return an exception that makes a task fail. A workflow catches the name in `error`. `cause` is the message."""
    exception: Exception = get_private(stepfunctions, "_ExecutionError")(error, cause)
    return exception


class StateMachineTasks:
    """Tasks of all state machines."""

    def __init__(
        self,
        permissions: ServiceCallPermissions,
        jobs: batch_service.BatchService,
        run_glue_job: Callable[[Parameters], Parameters],
    ) -> None:
        self._permissions = permissions
        self._jobs = jobs
        self._run_glue_job = run_glue_job
        self._clients: dict[tuple[str, str], Any] = {}
        """AWS clients by service and role."""
        self._lock = threading.Lock()

    def install(self) -> None:
        """Replace functions of the emulator by those below, which get the original. `extended_emulator.py` calls this."""
        wrap_function(stepfunctions, "_run_execution", _run_execution)
        wrap_function(stepfunctions, "_invoke_resource", self._invoke_if_allowed)
        wrap_function(stepfunctions, "_invoke_aws_sdk_integration", self._call_service)
        get_private(stepfunctions, "_SERVICE_DISPATCH").update(
            {GLUE: lambda _resource, parameters: self._run_glue_job(parameters), BATCH: self._submit_job}
        )

    def _invoke_if_allowed(self, original: Any, resource: str, parameters: Any) -> Any:
        for action, target in _required_actions(resource, parameters):
            if not self._permissions.is_allowed(_role.get(), action, target):
                cause = f"{_role.get()} is not authorized to perform {action} on {target}"
                raise task_error("States.TaskFailed", cause)
        return original(resource, parameters)

    def _submit_job(self, _resource: str, parameters: Parameters) -> Any:
        """Submit a Batch job without waiting for its end. No workflow of this project uses `submitJob.sync`."""
        model = ServiceModel(create_loader().load_service_model("batch", "service-2"), "batch")
        operation = model.operation_model("SubmitJob")
        try:
            return to_state_result(self._jobs.submit(_read_parameters(parameters, operation)), operation.output_shape)
        except batch_service.BatchClientError as error:
            raise task_error("Batch.ClientException", str(error)) from None

    def _call_service(self, _original: Any, resource: str, parameters: Parameters) -> Any:
        """Call an AWS service for an SDK task. Raise a task error with the name that a workflow can catch."""
        call = _SDK_CALL.fullmatch(resource)
        if call is None:
            raise task_error("States.Runtime", f"{resource} is not an SDK integration")
        client = self._get_client(call["service"])
        model = client.meta.service_model
        action = to_pascal_case(call["action"])
        if action not in model.operation_names:
            raise task_error("States.Runtime", f"{call['service']} has no action {call['action']}")
        operation = model.operation_model(action)
        try:
            answer = getattr(client, xform_name(operation.name))(**_read_parameters(parameters, operation))
        except ClientError as error:
            details = error.response["Error"]
            raise task_error(error_name(operation, details.get("Code", "")), details.get("Message", "")) from None
        except BotoCoreError as error:
            raise task_error(f"{service_prefix(model)}.SdkClientException", str(error)) from None
        return to_state_result(answer, operation.output_shape) or {}

    def _get_client(self, service: str) -> Any:
        """Return a boto3 client of a service with the credentials of the role in this context."""
        with self._lock:
            if (service, _role.get()) not in self._clients:
                session: Any = open_session(_role.get(), "states").to_session()
                self._clients[service, _role.get()] = session.client(
                    service,
                    endpoint_url=os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}", endpoint()),
                    # Step Functions sends any parameters, and the service validates them.
                    config=Config(proxies={}, parameter_validation=False, retries={"total_max_attempts": 1}),
                )
            return self._clients[service, _role.get()]


def _run_execution(original: Any, execution_arn: str) -> Any:
    """Run an execution in its thread, after the role of its state machine is set for the tasks."""
    execution = get_private(stepfunctions, "_executions").get(execution_arn) or {}
    machine = get_private(stepfunctions, "_state_machines").get(execution.get("stateMachineArn", "")) or {}
    _role.set(machine.get("roleArn", ""))
    return original(execution_arn)


def _read_parameters(parameters: Parameters, operation: OperationModel) -> Any:
    """Return a state's arguments as the parameters of an operation. Raise a task error if one is unknown."""
    try:
        return to_api_parameters(parameters or {}, operation.input_shape, "Arguments")
    except UnknownField as unknown:
        raise task_error("States.Runtime", str(unknown)) from None


def _required_actions(resource: str, parameters: Parameters) -> RequiredActions:
    """Return the main actions that an optimized integration needs (Step Functions' guide, "IAM policies for integrated
    services"), or none for another integration.
    """
    if resource.startswith(LAMBDA):
        return [("lambda:InvokeFunction", str(parameters["FunctionName"]))]
    if resource.startswith(GLUE):
        job = f"arn:aws:glue:{get_region()}:{get_account_id()}:job/{parameters['JobName']}"
        # The local Glue always waits for the run, as with `.sync`.
        return [("glue:StartJobRun", job), ("glue:GetJobRun", job)]
    if resource.startswith(BATCH):
        try:
            # IAM evaluates the ARN of the revision that is run, even if the state names no revision.
            definition = batch_service.find_definition(str(parameters["JobDefinition"]))["jobDefinitionArn"]
        except batch_service.BatchClientError:
            return []  # `_submit_job` will fail with this error
        return [("batch:SubmitJob", definition), ("batch:SubmitJob", str(parameters["JobQueue"]))]
    return []
