"""Tests of the local platform's Pulumi provider, with a fake AWS. The tests call it over gRPC, as the CLI does.

If a creation or an update fails half-way, the provider adds the output INCOMPLETE or PENDING to the resource, so that
the next deployment repairs it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from local import ROOT
from local.platform.provider import INCOMPLETE, PENDING, PulumiProvider
from local.platform.provider_server import serve_provider
from local.property_values import SECRET, SIGNATURE, UNKNOWN_STRING
from tests.local.fake_aws import DRIVERS, FUNCTION, GROUP, RECORDED_ONLY, TOPIC, FakeAws

pytestmark = pytest.mark.unit

DIFF_NONE, DIFF_SOME = provider_pb2.DiffResponse.DIFF_NONE, provider_pb2.DiffResponse.DIFF_SOME
ROLE = "arn:aws:iam::123456789012:role/one"
OLD_CODE = {"name": "function", "role": ROLE, "text": "print(1)"}
NEW_CODE = {**OLD_CODE, "text": "print(2)"}
"""Inputs of the same function before and after a change of its code."""
Cli = provider_pb2_grpc.ResourceProviderStub
"""gRPC client of the provider, in place of the Pulumi CLI."""


@pytest.fixture
def aws() -> FakeAws:
    return FakeAws()


@pytest.fixture
def cli(aws: FakeAws) -> Iterator[Cli]:
    with serve_provider(PulumiProvider(aws, DRIVERS)) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Cli(channel)


def urn(kind: str) -> str:
    return f"urn:pulumi:test::polyphony::polyphony:area:Component${kind}::resource"


def to_struct(values: dict[str, Any]) -> Struct:
    struct = Struct()
    struct.update(values)
    return struct


def create(cli: Cli, kind: str, inputs: dict[str, Any], *, preview: bool = False) -> provider_pb2.CreateResponse:
    request = provider_pb2.CreateRequest(urn=urn(kind), properties=to_struct(inputs), preview=preview)
    response: provider_pb2.CreateResponse = cli.Create(request)
    return response


def change_fields(
    kind: str, old_inputs: dict[str, Any], new_inputs: dict[str, Any], old_outputs: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the fields of a request that compares or updates a resource."""
    olds = to_struct({**old_inputs, **(old_outputs or {})})
    old_struct, new_struct = to_struct(old_inputs), to_struct(new_inputs)
    return {"urn": urn(kind), "id": "id", "old_inputs": old_struct, "olds": olds, "news": new_struct}


def diff(cli: Cli, *change: Any) -> provider_pb2.DiffResponse:
    """Return the provider's comparison of a change, given by the arguments of `change_fields`."""
    response: provider_pb2.DiffResponse = cli.Diff(provider_pb2.DiffRequest(**change_fields(*change)))
    return response


def update_request(*change: Any, preview: bool = False) -> provider_pb2.UpdateRequest:
    return provider_pb2.UpdateRequest(**change_fields(*change), preview=preview)


def delete_request(kind: str, resource_id: str, inputs: dict[str, Any]) -> provider_pb2.DeleteRequest:
    return provider_pb2.DeleteRequest(
        urn=urn(kind), id=resource_id, old_inputs=to_struct(inputs), properties=to_struct(inputs)
    )


def read_request(kind: str, resource_id: str, inputs: dict[str, Any]) -> provider_pb2.ReadRequest:
    struct = to_struct(inputs)
    return provider_pb2.ReadRequest(urn=urn(kind), id=resource_id, inputs=struct, properties=struct)


def error_of(call: Callable[[], object]) -> Any:
    """Return the gRPC error of a call."""
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value


def incomplete_resource_of(call: Callable[[], object]) -> provider_pb2.ErrorResourceInitFailed:
    """Return the incomplete resource from the details of a failed call's error. The CLI saves this resource."""
    [encoded] = [value for key, value in error_of(call).trailing_metadata() if key == "grpc-status-details-bin"]
    status = status_pb2.Status.FromString(encoded)
    details = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(details)
    return details


def test_the_handshake_announces_secrets_and_previews(cli: Cli) -> None:
    cli.Attach(plugin_pb2.PluginAttach(address="127.0.0.1:1"))
    assert cli.Handshake(provider_pb2.ProviderHandshakeRequest()).accept_secrets
    response = cli.Configure(provider_pb2.ConfigureRequest())
    assert response.acceptSecrets
    assert response.supportsPreview


def test_the_provider_has_the_version_of_the_aws_package_of_the_program(cli: Cli) -> None:
    version = cli.GetPluginInfo(empty_pb2.Empty()).version
    assert f"\npulumi-aws=={version} " in (ROOT / "requirements" / "program.txt").read_text(encoding="utf-8")


def test_a_creation_returns_id_inputs_and_outputs(cli: Cli, aws: FakeAws) -> None:
    response = create(cli, TOPIC, {"name": "topic"})
    assert response.id == "arn:aws:sns:us-east-1:1:topic"
    assert dict(response.properties.items()) == {"name": "topic", "arn": "arn:aws:sns:us-east-1:1:topic"}
    assert aws.calls == [("create_topic", "topic")]


def test_the_service_gets_a_secret_input_in_clear_text_and_the_cli_gets_it_as_a_secret(cli: Cli, aws: FakeAws) -> None:
    secret = {SIGNATURE: SECRET, "value": "canary"}
    response = create(cli, FUNCTION, {**OLD_CODE, "text": secret})
    assert aws.resources["function"]["Code"] == {"ZipFile": "canary"}
    assert MessageToDict(response.properties)["text"][SIGNATURE] == SECRET


def test_a_preview_calls_no_service(cli: Cli, aws: FakeAws) -> None:
    response = create(cli, TOPIC, {"name": "topic"}, preview=True)
    assert (response.id, list(response.properties)) == ("", ["name"])
    updated = cli.Update(update_request(FUNCTION, OLD_CODE, NEW_CODE, {"version": "1"}, preview=True))
    assert updated.properties["version"] == UNKNOWN_STRING
    assert aws.calls == []


def test_a_check_reports_invalid_inputs_and_accepts_unknown_ones(cli: Cli) -> None:
    invalid_inputs = to_struct({"name": "g" * 513, "colour": "blue"})
    response = cli.Check(provider_pb2.CheckRequest(urn=urn(GROUP), news=invalid_inputs))
    reasons = "\n".join(failure.reason for failure in response.failures)
    assert "takes at most 512 characters" in reasons
    assert "colour is not used by the resource type's driver" in reasons
    valid = cli.Check(provider_pb2.CheckRequest(urn=urn(GROUP), news=to_struct({"name": UNKNOWN_STRING})))
    assert not valid.failures
    assert valid.inputs["name"] == UNKNOWN_STRING


def test_a_type_without_a_driver_is_refused(cli: Cli) -> None:
    kind = "test:index/unsupported:Unsupported"
    error = error_of(lambda: create(cli, kind, {"name": "x"}))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert f"no driver for {kind}. Add a driver in local/drivers/" in error.details()


def test_an_unsupported_pulumi_function_is_refused(cli: Cli) -> None:
    error = error_of(lambda: cli.Invoke(provider_pb2.InvokeRequest(tok="aws:index/unsupported:unsupported")))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("kind", "days", "changes"),
    [(GROUP, 7, DIFF_NONE), (GROUP, 30, DIFF_SOME), (RECORDED_ONLY, 30, DIFF_SOME)],
    ids=["unchanged", "changed", "changed, of a type that the emulator lacks"],
)
def test_a_change_that_needs_no_replacement_is_an_update(cli: Cli, kind: str, days: int, changes: int) -> None:
    response = diff(cli, kind, {"name": "group", "retentionInDays": 7}, {"name": "group", "retentionInDays": days})
    assert response.changes == changes
    assert list(response.replaces) == []


@pytest.mark.parametrize(
    ("new_inputs", "replaces", "is_deleted_first"),
    [
        ({"name": "group"}, ["retentionInDays"], True),
        ({"name": "group", "retentionInDays": 7, "kmsKeyId": "arn:key"}, ["kmsKeyId"], True),
        ({"name": "other", "retentionInDays": 7}, ["name"], False),
        ({"namePrefix": "group-", "retentionInDays": 7}, ["name", "namePrefix"], False),
    ],
    ids=["no call can unset the input", "no call can set the input", "other name", "name from a prefix"],
)
def test_a_resource_is_deleted_before_its_replacement_is_created_unless_their_names_differ(
    cli: Cli, new_inputs: dict[str, Any], replaces: list[str], is_deleted_first: bool
) -> None:
    response = diff(cli, GROUP, {"name": "group", "retentionInDays": 7}, new_inputs)
    assert list(response.replaces) == replaces
    assert response.deleteBeforeReplace is is_deleted_first


def test_an_update_changes_the_resource_and_returns_the_changed_outputs(cli: Cli, aws: FakeAws) -> None:
    created = create(cli, FUNCTION, OLD_CODE)
    assert created.properties["version"] == "1"
    aws.calls.clear()
    response = cli.Update(update_request(FUNCTION, OLD_CODE, NEW_CODE, {"version": "1"}))
    assert response.properties["version"] == "2"
    assert [method for method, _ in aws.calls] == ["update_function_code", "publish_version"]


def test_the_error_of_a_refused_creation_contains_no_resource_that_the_cli_would_save(cli: Cli, aws: FakeAws) -> None:
    aws.error_codes = {"create_topic": "InvalidParameter"}
    error = error_of(lambda: create(cli, TOPIC, {"name": "topic"}))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "CreateTopic: InvalidParameter: message of AWS"
    assert error.trailing_metadata() == ()


def test_a_resource_whose_creation_failed_half_way_is_replaced_by_the_next_deployment(cli: Cli, aws: FakeAws) -> None:
    inputs = {"name": "group", "retentionInDays": 7}
    aws.error_codes = {"put_retention_policy": "LimitExceededException"}
    incomplete = incomplete_resource_of(lambda: create(cli, GROUP, inputs))
    assert incomplete.id == "group"
    assert list(incomplete.reasons) == ["PutRetentionPolicy: LimitExceededException: message of AWS"]
    outputs = MessageToDict(incomplete.properties)
    assert outputs == {**inputs, INCOMPLETE: True}
    response = diff(cli, GROUP, inputs, inputs, outputs)
    assert (list(response.replaces), response.deleteBeforeReplace) == ([INCOMPLETE], True)
    cli.Delete(delete_request(GROUP, incomplete.id, inputs))
    assert aws.resources == {}


def test_a_failed_update_is_repeated_even_if_the_program_returns_to_the_old_inputs(cli: Cli, aws: FakeAws) -> None:
    create(cli, FUNCTION, OLD_CODE)
    aws.error_codes = {"publish_version": "TooManyRequestsException"}
    incomplete = incomplete_resource_of(
        lambda: cli.Update(update_request(FUNCTION, OLD_CODE, NEW_CODE, {"version": "1"}))
    )
    assert MessageToDict(incomplete.properties)[PENDING] == ["text"]
    aws.error_codes = {}
    # The CLI has saved the new inputs, although the update failed.
    assert list(diff(cli, FUNCTION, NEW_CODE, NEW_CODE, {PENDING: ["text"]}).diffs) == ["text"]
    # The program returns to the old inputs.
    response = cli.Update(update_request(FUNCTION, NEW_CODE, OLD_CODE, {"version": "1", PENDING: ["text"]}))
    assert aws.resources["function"]["Code"] == {"ZipFile": "print(1)"}
    assert response.properties["version"] == "2"
    assert PENDING not in response.properties


def test_a_resource_can_be_deleted_twice(cli: Cli, aws: FakeAws) -> None:
    created = create(cli, TOPIC, {"name": "topic"})
    for _ in range(2):
        cli.Delete(delete_request(TOPIC, created.id, {"name": "topic"}))
    assert aws.resources == {}


def test_a_refused_deletion_is_an_error(cli: Cli, aws: FakeAws) -> None:
    create(cli, TOPIC, {"name": "topic"})
    aws.error_codes = {"delete_topic": "InvalidParameter"}
    error = error_of(lambda: cli.Delete(delete_request(TOPIC, "arn:aws:sns:us-east-1:1:topic", {})))
    assert error.details() == "DeleteTopic: InvalidParameter: message of AWS"


def test_calls_after_a_cancellation_fail_until_the_cli_configures_the_provider_again(cli: Cli, aws: FakeAws) -> None:
    cli.Cancel(empty_pb2.Empty())
    inputs = {"name": "group", "retentionInDays": 7}
    for call in (
        lambda: create(cli, GROUP, inputs),
        lambda: cli.Update(update_request(GROUP, inputs, {"name": "group", "retentionInDays": 30})),
        lambda: cli.Delete(delete_request(GROUP, "group", inputs)),
    ):
        error = error_of(call)
        assert error.code() is grpc.StatusCode.CANCELLED
    assert aws.calls == []
    cli.Configure(provider_pb2.ConfigureRequest())
    create(cli, GROUP, inputs)
    assert "group" in aws.resources


def test_a_refresh_returns_a_resource_as_the_cli_saved_it(cli: Cli, aws: FakeAws) -> None:
    inputs = {**OLD_CODE, "text": {SIGNATURE: SECRET, "value": "print(1)"}}
    response = cli.Read(read_request(FUNCTION, "function", inputs))
    assert (response.id, MessageToDict(response.inputs), MessageToDict(response.properties)) == (
        "function",
        inputs,
        inputs,
    )
    assert aws.calls == []


def test_a_resource_without_inputs_is_not_read_because_the_platform_may_not_have_created_it(cli: Cli) -> None:
    error = error_of(lambda: cli.Read(read_request(FUNCTION, "function", {})))
    assert error.details() == "the local platform reads only resources that it created"
