"""Functions, aliases and what calls them."""

import io
import zipfile
from typing import Any

from local import ROOT
from local.platform.drivers.model import Call, Driver, Known, Made, Settled, answered, const, first, made
from local.preview.property_values import UNKNOWN, Archive


def archive_bytes_of(code: Archive) -> bytes:
    """The bytes of an archive: the file itself, or one made of its entries."""
    if code.path is not None:
        return (ROOT / code.path).read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in code.entries:
            archive.writestr(name, text)
    return buffer.getvalue()


archive_bytes = made("code")(archive_bytes_of)


@made("code")
def no_libraries(_code: Archive) -> bytes:
    """A layer without content: its wheels are for arm64, and the emulator's environment has the same versions."""
    return archive_bytes_of(
        Archive(None, (("python/README", "the same packages are installed beside the emulator\n"),))
    )


def _unqualified(known: Known) -> Any:
    """A published function answers with its version's ARN; the function's own has seven parts."""
    arn = known.answers.get("CreateFunction", {}).get("FunctionArn")
    return UNKNOWN if arn is None else ":".join(arn.split(":")[:7])


def _layer_arn(known: Known) -> Any:
    return known.answers.get("PublishLayerVersion", {}).get("LayerVersionArn", UNKNOWN)


def _layer_version(known: Known) -> int:
    return int(str(known["id"]).rpartition(":")[2])


def _alias_id(known: Known) -> str:
    return f"{known['functionName']}:{known['name']}"


def _provisioned_id(known: Known) -> str:
    return f"{known['functionName']},{known['qualifier']}"


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
ACTIVE = Settled("GetFunctionConfiguration", {"FunctionName": "name"}, "State", "Active")
UPDATED = Settled("GetFunctionConfiguration", {"FunctionName": "name"}, "LastUpdateStatus", "Successful")
CONCURRENCY = Call(
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
ASYNCHRONOUS = Call(
    "PutFunctionEventInvokeConfig",
    {
        "FunctionName": "functionName",
        "Qualifier": "qualifier",
        "MaximumRetryAttempts": "maximumRetryAttempts",
        "MaximumEventAgeInSeconds": "maximumEventAgeInSeconds",
        "DestinationConfig": "destinationConfig",
    },
)

PROVISIONED = Call(
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
            Call(
                "CreateFunction",
                {
                    **CONFIGURATION,
                    "Architectures": "architectures",
                    "Code.ZipFile": archive_bytes,
                    "Publish": "publish",
                    "Tags": "tags",
                },
                renames={"logGroup": "LogGroup"},
                until=ACTIVE,
            ),
            CONCURRENCY,
        ),
        update=(
            Call(
                "UpdateFunctionCode",
                {
                    "FunctionName": "name",
                    "ZipFile": archive_bytes,
                    "Architectures": "architectures",
                    "Publish": const(False),
                },
                until=UPDATED,
            ),
            Call("UpdateFunctionConfiguration", CONFIGURATION, until=UPDATED),
            # Callers use an alias, and an alias points to a version: without one, nothing that changed would run.
            Call(
                "PublishVersion",
                {"FunctionName": "name"},
                when="publish",
                after=("UpdateFunctionCode", "UpdateFunctionConfiguration"),
            ),
            CONCURRENCY,
            Call("TagResource", {"Resource": "arn", "Tags": "tags"}),
        ),
        delete=(Call("DeleteFunction", {"FunctionName": "name"}),),
        id="name",
        outputs={
            "arn": Made(_unqualified),
            "version": first(answered("PublishVersion", "Version"), answered("CreateFunction", "Version")),
        },
        renewed=("version",),
    ),
    Driver(
        type="aws:lambda/alias:Alias",
        service="lambda",
        create=(Call("CreateAlias", ALIAS),),
        update=(Call("UpdateAlias", ALIAS),),
        delete=(Call("DeleteAlias", {"FunctionName": "functionName", "Name": "name"}),),
        id=Made(_alias_id),
        outputs={"arn": answered("CreateAlias", "AliasArn")},
    ),
    Driver(
        type="aws:lambda/eventSourceMapping:EventSourceMapping",
        service="lambda",
        create=(
            Call(
                "CreateEventSourceMapping",
                {"FunctionName": "functionName", "EventSourceArn": "eventSourceArn", **MAPPING, "Tags": "tags"},
            ),
        ),
        update=(Call("UpdateEventSourceMapping", {"UUID": "id", "FunctionName": "functionName", **MAPPING}),),
        delete=(Call("DeleteEventSourceMapping", {"UUID": "id"}),),
        id=answered("CreateEventSourceMapping", "UUID"),
    ),
    Driver(
        type="aws:lambda/permission:Permission",
        service="lambda",
        create=(
            Call(
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
            Call(
                "RemovePermission",
                {"FunctionName": "function", "StatementId": "statementId", "Qualifier": "qualifier"},
            ),
        ),
        id="statementId",
    ),
    Driver(
        type="aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        service="lambda",
        create=(ASYNCHRONOUS,),
        update=(ASYNCHRONOUS,),
        delete=(Call("DeleteFunctionEventInvokeConfig", {"FunctionName": "functionName", "Qualifier": "qualifier"}),),
        id="functionName",
    ),
    Driver(
        type="aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig",
        service="lambda",
        create=(PROVISIONED,),
        update=(PROVISIONED,),
        delete=(
            Call("DeleteProvisionedConcurrencyConfig", {"FunctionName": "functionName", "Qualifier": "qualifier"}),
        ),
        id=Made(_provisioned_id, ("functionName", "qualifier")),
    ),
    Driver(
        type="aws:lambda/layerVersion:LayerVersion",
        service="lambda",
        create=(
            Call(
                "PublishLayerVersion",
                {
                    "LayerName": "layerName",
                    "Description": "description",
                    "CompatibleRuntimes": "compatibleRuntimes",
                    "CompatibleArchitectures": "compatibleArchitectures",
                    "Content.ZipFile": no_libraries,
                },
            ),
        ),
        delete=(Call("DeleteLayerVersion", {"LayerName": "layerName", "VersionNumber": Made(_layer_version)}),),
        id=Made(_layer_arn),
        outputs={"arn": Made(_layer_arn)},
        ignored={"sourceCodeHash": "Pulumi's own means to see a change of the archive"},
    ),
)
