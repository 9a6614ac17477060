"""Pulumi provider with which the Pulumi CLI creates, changes and deletes resources on the emulator.

`provider_server.py` starts it for `make provider`. The CLI calls a provider over gRPC. This provider takes the place of the
AWS provider, and uses the same deployer as `make up` (`deployer.py`). It has no state of its own: the CLI saves inputs and
outputs of a resource, and sends them with the next request.

After a failure, the CLI saves that the resource exists with an error, but not whether the creation or an update failed.
So this provider adds an output to such a resource (`INCOMPLETE` or `PENDING`), which shows the next request what to do.
"""

import importlib.metadata
import threading
from typing import NoReturn

import grpc
from botocore.exceptions import ClientError
from google.protobuf import empty_pb2
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from local.drivers import ALL_DRIVERS, Drivers, describe_missing_drivers
from local.drivers.model import Driver, ResourceValues, identity_inputs
from local.drivers.service_shapes import ShapeMismatch
from local.platform.deployer import (
    DEPLOYMENT_ERRORS,
    Action,
    Change,
    Deployer,
    describe_failure,
    list_changed_inputs,
    plan_change,
    to_comparable,
)
from local.platform.emulator_clients import ClientFactory
from local.preview.botocore_input_checks import find_invalid_values
from local.preview.preview_provider import PreviewProvider
from local.property_values import UNKNOWN_STRING, Props, to_python_properties

INCOMPLETE = "__incomplete"
"""Output that is true if the creation failed after its first call. The next deployment replaces the resource."""
PENDING = "__pending"
"""Output that lists the inputs that a failed update should have changed. The next deployment sets them again, even if
the program has their old values again."""
NAMES = {"name", "namePrefix"}
"""Inputs that give a resource its name. If the service generates the id, `identity_inputs` does not contain them."""


class PulumiProvider(provider_pb2_grpc.ResourceProviderServicer):
    """gRPC service of Pulumi's provider protocol, which prescribes the names of methods and fields.

    Several threads call the methods. In a request, `news` are the new inputs, and `olds` the saved properties of the resource.
    """

    def __init__(self, clients: ClientFactory, drivers: Drivers = ALL_DRIVERS) -> None:
        self._deployer = Deployer(clients)
        self._drivers = drivers
        self._cancelled = threading.Event()
        """Set from `Cancel` until the CLI's next operation. Requests to create, change or delete are then refused."""

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        """Return that the provider accepts secrets."""
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Accept the address of the CLI's engine. The provider does not use it."""
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """Return the version of the AWS provider that the program requires. The CLI warns of any other version."""
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi-aws"))

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Accept the configuration, which is meant for the AWS provider."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        """Report that a changed configuration replaces no resource."""
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Start a new operation of the CLI. The configuration is ignored, because the emulator's address is known."""
        self._cancelled.clear()
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Refuse further changes of the CLI's current operation. Requests in progress are finished."""
        self._cancelled.set()
        return empty_pb2.Empty()

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        """Return the result of a provider function that the program calls, such as `getCallerIdentity`."""
        response = provider_pb2.InvokeResponse()
        result: Struct = getattr(response, "return")  # The protocol's field name is a Python keyword.
        try:
            result.update(PreviewProvider().call(request.tok, to_python_properties(request.args)))
        except NotImplementedError as error:
            _refuse(context, grpc.StatusCode.UNIMPLEMENTED, str(error))
        return response

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        """Check a resource's inputs against the API model of its service. The CLI asks for this before any change."""
        driver = self._find_driver(request.urn, context)
        failures = [
            provider_pb2.CheckFailure(property="", reason=str(invalid_input))
            for invalid_input in find_invalid_values(driver, request.urn, to_python_properties(request.news))
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        """Return the change that a resource's new inputs need: an update, a replacement or nothing."""
        driver = self._find_driver(request.urn, context)
        outputs = to_python_properties(request.olds)
        if outputs.get(INCOMPLETE):  # The protocol wants the name of a property as the reason of a replacement.
            return provider_pb2.DiffResponse(
                changes=provider_pb2.DiffResponse.DIFF_SOME, replaces=[INCOMPLETE], deleteBeforeReplace=True
            )
        old_inputs, new_inputs = to_python_properties(request.old_inputs), to_python_properties(request.news)
        change = _plan(driver, old_inputs, new_inputs, outputs)
        if change.action is Action.SAME:
            return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME,
            diffs=sorted(change.changed),
            replaces=sorted(change.replacing),
            deleteBeforeReplace=bool(change.replacing) and not _can_coexist(driver, new_inputs, change),
        )

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        """Create a resource. In a preview, only return its inputs, because its id and outputs are unknown."""
        if request.preview:
            return provider_pb2.CreateResponse(properties=request.properties)
        self._refuse_if_cancelled(context)
        driver = self._find_driver(request.urn, context)
        name = request.urn.split("::", 3)[3]
        values = ResourceValues(to_python_properties(request.properties))
        try:
            self._deployer.create(driver, name, values)
        except DEPLOYMENT_ERRORS as error:
            if not values.responses:
                _abort(context, error)
            properties = _with_outputs(request.properties, {**values.outputs, INCOMPLETE: True})
            _abort_unfinished(context, error, values.id or name, properties)
        return provider_pb2.CreateResponse(id=values.id, properties=_with_outputs(request.properties, values.outputs))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        """Return a resource as the CLI saved it. No service is asked, so a refresh reports no change."""
        if not request.inputs.fields:
            _refuse(context, grpc.StatusCode.UNIMPLEMENTED, "the local platform reads only resources that it created")
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        """Change a resource. In a preview, only return its outputs; those that the update would change are unknown."""
        driver = self._find_driver(request.urn, context)
        old_inputs, new_inputs = to_python_properties(request.old_inputs), to_python_properties(request.news)
        old_outputs = to_python_properties(request.olds)
        change = _plan(driver, old_inputs, new_inputs, old_outputs)
        outputs = _select_outputs(driver, old_outputs)
        if request.preview:
            changed_outputs = change.changed_outputs(driver)
            unknown_outputs = dict.fromkeys(changed_outputs, UNKNOWN_STRING)
            return provider_pb2.UpdateResponse(properties=_with_outputs(request.news, {**outputs, **unknown_outputs}))
        self._refuse_if_cancelled(context)
        values = ResourceValues(new_inputs, request.id, outputs)
        try:
            self._deployer.update(driver, values, change)
        except DEPLOYMENT_ERRORS as error:
            properties = _with_outputs(request.news, {**values.outputs, PENDING: sorted(change.changed)})
            _abort_unfinished(context, error, request.id, properties)
        return provider_pb2.UpdateResponse(properties=_with_outputs(request.news, values.outputs))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Delete a resource. A missing resource is no error."""
        self._refuse_if_cancelled(context)
        driver = self._find_driver(request.urn, context)
        outputs = _select_outputs(driver, to_python_properties(request.properties))
        values = ResourceValues(to_python_properties(request.old_inputs), request.id, outputs)
        try:
            self._deployer.delete(driver, values)
        except DEPLOYMENT_ERRORS as error:
            _abort(context, error)
        return empty_pb2.Empty()

    def _find_driver(self, urn: str, context: grpc.ServicerContext) -> Driver:
        kind = urn.split("::")[2].rpartition("$")[2]
        driver = self._drivers.get(kind)
        if driver is None:
            _refuse(context, grpc.StatusCode.UNIMPLEMENTED, describe_missing_drivers([kind]))
        return driver

    def _refuse_if_cancelled(self, context: grpc.ServicerContext) -> None:
        if self._cancelled.is_set():
            _refuse(context, grpc.StatusCode.CANCELLED, "not started, because the operation was cancelled")


def _plan(driver: Driver, old_inputs: Props, new_inputs: Props, outputs: Props) -> Change:
    """Return the change that new inputs need. Inputs in `PENDING` count as changed."""
    changed = list_changed_inputs(to_comparable(old_inputs), to_comparable(new_inputs))
    return plan_change(driver, new_inputs, changed | set(outputs.get(PENDING, ())))


def _can_coexist(driver: Driver, inputs: Props, change: Change) -> bool:
    """Return True if the replacement has another identity than the old resource, so that the CLI may create it first.

    This is so if an input has changed that identifies or names the resource, or if the program gives a name prefix, from
    which each resource gets a random name.
    """
    return bool(inputs.get("namePrefix")) or bool(identity_inputs(driver, change.changed) or change.changed & NAMES)


def _select_outputs(driver: Driver, properties: Props) -> Props:
    """Return the outputs among a resource's saved properties, which also contain its inputs, `INCOMPLETE` and `PENDING`."""
    return {name: properties[name] for name in driver.outputs if name in properties}


def _with_outputs(inputs: Struct, outputs: Props) -> Struct:
    """Return inputs and outputs in the protocol's format. Secrets among the inputs stay marked as secrets."""
    properties = Struct()
    properties.CopyFrom(inputs)
    properties.update(outputs)
    return properties


def _abort(context: grpc.ServicerContext, error: BaseException) -> NoReturn:
    """End the request with an error. Its gRPC status distinguishes a refused call from a call with unknown effect."""
    refused = isinstance(error, ClientError | ShapeMismatch)
    _refuse(
        context, grpc.StatusCode.FAILED_PRECONDITION if refused else grpc.StatusCode.UNKNOWN, describe_failure(error)
    )


def _abort_unfinished(
    context: grpc.ServicerContext, error: BaseException, resource_id: str, properties: Struct
) -> NoReturn:
    """End the request with an error. Its details let the CLI save the resource, with the given id and properties."""
    message = describe_failure(error)
    details = provider_pb2.ErrorResourceInitFailed(id=resource_id, properties=properties, reasons=[message])
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
    status.details.add().Pack(details)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    _refuse(context, grpc.StatusCode.UNKNOWN, message)


def _refuse(context: grpc.ServicerContext, code: grpc.StatusCode, message: str) -> NoReturn:
    context.abort(code, message)
    raise AssertionError("`abort` raises an exception")
