"""Drivers of Lambda functions, aliases, permissions, event source mappings, layers, and the settings for asynchronous
invocations and provisioned concurrency: the API calls that create, update and delete them.
"""

import io
import zipfile

from local import ROOT
from local.drivers.model import (
    AwaitedState,
    ComputedValue,
    Driver,
    DriverCall,
    ResourceValues,
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
    contains wheels for arm64 only.
    """
    readme = Asset(text="the emulator's environment has the same packages\n")
    return read_archive(Archive(None, (("python/README", readme),)))


def _layer_version(values: ResourceValues) -> int:
    return int(str(values["id"]).rpartition(":")[2])


CONFIGURATION = {
    "FunctionName": "name",
    "Role": "role",
    "Handler": "handler",
    "Runtime": "runtime",
    "Description": "description",
    "MemorySize": "memorySize",
    "Timeout": "timeout",
    "Layers": "layers",
    "Environment": "environment",
    "KMSKeyArn": "kmsKeyArn",
    "VpcConfig": "vpcConfig",
    "TracingConfig": "tracingConfig",
    "LoggingConfig": "loggingConfig",
    "SnapStart": "snapStart",
}
"""Parameters of the calls that create a function and update its configuration, each with its Pulumi property."""
ACTIVE = AwaitedState("GetFunctionConfiguration", {"FunctionName": "name"}, "State", "Active")
UPDATED = AwaitedState("GetFunctionConfiguration", {"FunctionName": "name"}, "LastUpdateStatus", "Successful")
PUT_CONCURRENCY = DriverCall(
    "PutFunctionConcurrency",
    {"FunctionName": "name", "ReservedConcurrentExecutions": "reservedConcurrentExecutions"},
    when="reservedConcurrentExecutions",
)
ALIAS = {"FunctionName": "functionName", "Name": "name", "FunctionVersion": "functionVersion"}
MAPPING = {
    "BatchSize": "batchSize",
    "MaximumBatchingWindowInSeconds": "maximumBatchingWindowInSeconds",
    "FunctionResponseTypes": "functionResponseTypes",
    "ScalingConfig": "scalingConfig",
}
"""Parameters of the calls that create and update an event source mapping, each with its Pulumi property."""
PUT_ASYNCHRONOUS = DriverCall(
    "PutFunctionEventInvokeConfig",
    {
        "FunctionName": "functionName",
        "Qualifier": "qualifier",
        "MaximumRetryAttempts": "maximumRetryAttempts",
        "MaximumEventAgeInSeconds": "maximumEventAgeInSeconds",
        "DestinationConfig": "destinationConfig",
    },
)

PUT_PROVISIONED = DriverCall(
    "PutProvisionedConcurrencyConfig",
    {
        "FunctionName": "functionName",
        "Qualifier": "qualifier",
        "ProvisionedConcurrentExecutions": "provisionedConcurrentExecutions",
    },
)

DRIVERS = (
    Driver(
        type="aws:lambda/function:Function",
        service="lambda",
        create=(
            DriverCall(
                "CreateFunction",
                {
                    **CONFIGURATION,
                    "Architectures": "architectures",
                    "Code.ZipFile": archive_bytes,
                    "Publish": "publish",
                    "Tags": "tags",
                },
                until=ACTIVE,
            ),
            PUT_CONCURRENCY,
        ),
        update=(
            DriverCall(
                "UpdateFunctionCode",
                {
                    "FunctionName": "name",
                    "ZipFile": archive_bytes,
                    "Architectures": "architectures",
                    "Publish": constant(False),
                },
                until=UPDATED,
            ),
            DriverCall("UpdateFunctionConfiguration", CONFIGURATION, until=UPDATED),
            # Callers use an alias, which points to a published version. So a change takes effect only in a new version.
            DriverCall(
                "PublishVersion",
                {"FunctionName": "name"},
                when="publish",
                after=("UpdateFunctionCode", "UpdateFunctionConfiguration"),
            ),
            PUT_CONCURRENCY,
        ),
        delete=(DriverCall("DeleteFunction", {"FunctionName": "name"}),),
        id="name",
        outputs={
            # CreateFunction with `Publish` returns the ARN of the new version. Its last part, the version, is removed.
            "arn": from_response("CreateFunction", "FunctionArn", lambda arn: ":".join(arn.split(":")[:7])),
            "version": first_known(
                from_response("PublishVersion", "Version"), from_response("CreateFunction", "Version")
            ),
            "codeSha256": first_known(
                from_response("UpdateFunctionCode", "CodeSha256"), from_response("CreateFunction", "CodeSha256")
            ),
        },
        changed_by_update={"version": "PublishVersion", "codeSha256": "UpdateFunctionCode"},
    ),
    Driver(
        type="aws:lambda/alias:Alias",
        service="lambda",
        create=(DriverCall("CreateAlias", ALIAS),),
        update=(DriverCall("UpdateAlias", ALIAS),),
        delete=(DriverCall("DeleteAlias", {"FunctionName": "functionName", "Name": "name"}),),
        id=from_template("{functionName}:{name}"),
        outputs={"arn": from_response("CreateAlias", "AliasArn")},
    ),
    Driver(
        type="aws:lambda/eventSourceMapping:EventSourceMapping",
        service="lambda",
        create=(
            DriverCall(
                "CreateEventSourceMapping",
                {"FunctionName": "functionName", "EventSourceArn": "eventSourceArn", **MAPPING, "Tags": "tags"},
            ),
        ),
        update=(DriverCall("UpdateEventSourceMapping", {"UUID": "id", "FunctionName": "functionName", **MAPPING}),),
        delete=(DriverCall("DeleteEventSourceMapping", {"UUID": "id"}),),
        id=from_response("CreateEventSourceMapping", "UUID"),
    ),
    Driver(
        type="aws:lambda/permission:Permission",
        service="lambda",
        create=(
            DriverCall(
                "AddPermission",
                {
                    "FunctionName": "function",
                    "StatementId": "statementId",
                    "Action": "action",
                    "Principal": "principal",
                    "Qualifier": "qualifier",
                    "SourceAccount": "sourceAccount",
                    "SourceArn": "sourceArn",
                },
            ),
        ),
        delete=(
            DriverCall(
                "RemovePermission",
                {"FunctionName": "function", "StatementId": "statementId", "Qualifier": "qualifier"},
            ),
        ),
        id="statementId",
    ),
    Driver(
        type="aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        service="lambda",
        create=(PUT_ASYNCHRONOUS,),
        update=(PUT_ASYNCHRONOUS,),
        delete=(
            DriverCall("DeleteFunctionEventInvokeConfig", {"FunctionName": "functionName", "Qualifier": "qualifier"}),
        ),
        id="functionName",
    ),
    Driver(
        type="aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig",
        service="lambda",
        create=(PUT_PROVISIONED,),
        update=(PUT_PROVISIONED,),
        delete=(
            DriverCall(
                "DeleteProvisionedConcurrencyConfig", {"FunctionName": "functionName", "Qualifier": "qualifier"}
            ),
        ),
        id=from_template("{functionName},{qualifier}"),
    ),
    Driver(
        type="aws:lambda/layerVersion:LayerVersion",
        service="lambda",
        create=(
            DriverCall(
                "PublishLayerVersion",
                {
                    "LayerName": "layerName",
                    "Description": "description",
                    "CompatibleRuntimes": "compatibleRuntimes",
                    "CompatibleArchitectures": "compatibleArchitectures",
                    "Content.ZipFile": empty_layer,
                },
            ),
        ),
        delete=(
            DriverCall(
                "DeleteLayerVersion", {"LayerName": "layerName", "VersionNumber": ComputedValue(_layer_version)}
            ),
        ),
        id=from_response("PublishLayerVersion", "LayerVersionArn"),
        outputs={"arn": from_response("PublishLayerVersion", "LayerVersionArn")},
        ignored={"sourceCodeHash": "Pulumi uses it to detect a change of the archive"},
    ),
)
