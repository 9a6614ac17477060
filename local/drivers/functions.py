"""Drivers of Lambda functions, aliases, permissions, event source mappings, layers, and the settings for asynchronous
invocations and provisioned concurrency.

A driver lists a resource type's AWS calls for the local platform. A call passes each property as the parameter of the
same name, or of its name in `api_names`, or as a member of its `parent_parameter`. `only_properties` limits these
properties. The call's dictionary maps other parameters to a property or a computed value. If no `update` call uses a
changed property other than `tags`, the resource is replaced. `model.py` describes all fields.
"""

import io
import zipfile

from local import ROOT
from local.drivers.model import (
    AwaitedState,
    Driver,
    DriverCall,
    computed_from,
    constant,
    first_known,
    from_response,
    from_template,
)
from local.property_values import Archive, Asset, UnsupportedAsset


def read_archive(code: Archive) -> bytes:
    """Return the content of an archive's zip file, or a zip file made of its entries.

    Raise UnsupportedAsset if only the archive's hash is known, because the Pulumi CLI did not send the content.
    """
    if code.path is not None:
        return (ROOT / code.path).read_bytes()
    if code.entries is None:
        raise UnsupportedAsset(f"the content of the archive with the hash {code.hash} was not sent")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, entry in code.entries:
            archive.writestr(name, entry.read())
    return buffer.getvalue()


archive_bytes = computed_from("code")(read_archive)


@computed_from("code")
def empty_layer(_code: Archive) -> bytes:
    """Return the zip file of a layer without packages.

    On the emulator, functions use the packages of the emulator's own virtual environment, because the real layer
    contains wheels for arm64 only. The property `code` is named only so that it counts as used.
    """
    readme = Asset(text="the emulator's environment has the same packages\n")
    return read_archive(Archive(path=None, entries=(("python/README", readme),)))


@computed_from("id")
def layer_version(arn: str) -> int:
    """Return the version at the end of the layer's ARN, which is the resource's id."""
    return int(arn.rpartition(":")[2])


ACTIVE = AwaitedState("GetFunctionConfiguration", "State", "Active")
UPDATED = AwaitedState("GetFunctionConfiguration", "LastUpdateStatus", "Successful")
PUT_CONCURRENCY = DriverCall("PutFunctionConcurrency", if_property="reservedConcurrentExecutions")
PUT_INVOKE_CONFIG = DriverCall("PutFunctionEventInvokeConfig")
PUT_PROVISIONED = DriverCall("PutProvisionedConcurrencyConfig")

DRIVERS = (
    Driver(
        type="aws:lambda/function:Function",
        service="lambda",
        api_names={"name": "FunctionName"},
        create=(DriverCall("CreateFunction", {"Code.ZipFile": archive_bytes}, awaited_state=ACTIVE), PUT_CONCURRENCY),
        update=(
            # `Publish` would publish a version before the new settings are set. PublishVersion does it afterwards.
            DriverCall(
                "UpdateFunctionCode", {"ZipFile": archive_bytes, "Publish": constant(False)}, awaited_state=UPDATED
            ),
            DriverCall("UpdateFunctionConfiguration", awaited_state=UPDATED),
            # Callers use an alias, which points to a published version. So a change takes effect only in a new version.
            DriverCall(
                "PublishVersion",
                if_property="publish",
                after_operations=("UpdateFunctionCode", "UpdateFunctionConfiguration"),
            ),
            PUT_CONCURRENCY,
        ),
        delete=(DriverCall("DeleteFunction"),),
        id="name",
        outputs={
            # CreateFunction with `Publish` returns the ARN of the new version. The first 7 parts are the function's ARN.
            "arn": from_response("CreateFunction", "FunctionArn", lambda arn: ":".join(arn.split(":")[:7])),
            "version": first_known(
                from_response("PublishVersion", "Version"), from_response("CreateFunction", "Version")
            ),
        },
        changed_by_update={"version": "PublishVersion"},
    ),
    Driver(
        type="aws:lambda/alias:Alias",
        service="lambda",
        create=(DriverCall("CreateAlias"),),
        update=(DriverCall("UpdateAlias"),),
        delete=(DriverCall("DeleteAlias"),),
        id=from_template("{functionName}:{name}"),
        outputs={"arn": from_response("CreateAlias", "AliasArn")},
    ),
    Driver(
        type="aws:lambda/eventSourceMapping:EventSourceMapping",
        service="lambda",
        api_names={"id": "UUID"},
        create=(DriverCall("CreateEventSourceMapping"),),
        update=(DriverCall("UpdateEventSourceMapping"),),
        delete=(DriverCall("DeleteEventSourceMapping"),),
        id=from_response("CreateEventSourceMapping", "UUID"),
    ),
    Driver(
        type="aws:lambda/permission:Permission",
        service="lambda",
        api_names={"function": "FunctionName"},
        create=(DriverCall("AddPermission"),),
        delete=(DriverCall("RemovePermission"),),
        id="statementId",
    ),
    Driver(
        type="aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        service="lambda",
        create=(PUT_INVOKE_CONFIG,),
        update=(PUT_INVOKE_CONFIG,),
        delete=(DriverCall("DeleteFunctionEventInvokeConfig"),),
        id="functionName",
    ),
    Driver(
        type="aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig",
        service="lambda",
        create=(PUT_PROVISIONED,),
        update=(PUT_PROVISIONED,),
        delete=(DriverCall("DeleteProvisionedConcurrencyConfig"),),
        id=from_template("{functionName},{qualifier}"),
    ),
    Driver(
        type="aws:lambda/layerVersion:LayerVersion",
        service="lambda",
        create=(DriverCall("PublishLayerVersion", {"Content.ZipFile": empty_layer}),),
        delete=(DriverCall("DeleteLayerVersion", {"VersionNumber": layer_version}),),
        id=from_response("PublishLayerVersion", "LayerVersionArn"),
        outputs={"arn": from_response("PublishLayerVersion", "LayerVersionArn")},
        ignored={"sourceCodeHash": "Pulumi uses it to detect a change of the archive"},
    ),
)
