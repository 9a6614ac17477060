"""Spark jobs, the catalogue, and Athena's workgroups."""

from typing import Any

from local.platform.drivers.model import Call, Driver, Known, Made, made

JOB = {
    "Description": "description",
    "Role": "roleArn",
    "GlueVersion": "glueVersion",
    "WorkerType": "workerType",
    "NumberOfWorkers": "numberOfWorkers",
    "ExecutionClass": "executionClass",
    "Timeout": "timeout",
    "MaxRetries": "maxRetries",
    "ExecutionProperty": "executionProperty",
    "SecurityConfiguration": "securityConfiguration",
    "Command": "command",
    "Connections.Connections": "connections",
    "DefaultArguments": "defaultArguments",
}
TABLE_INPUT = {
    "TableInput.Name": "name",
    "TableInput.Description": "description",
    "TableInput.TableType": "tableType",
    "TableInput.Parameters": "parameters",
    "TableInput.PartitionKeys": "partitionKeys",
    "TableInput.StorageDescriptor": "storageDescriptor",
    "TableInput.ViewOriginalText": "viewOriginalText",
    "TableInput.ViewExpandedText": "viewExpandedText",
}
TABLE_RENAMES = {"serDeInfo": "SerdeInfo"}


@made("encryptionConfiguration")
def encryption(given: dict[str, Any]) -> dict[str, Any]:
    """S3's setting is a list of one."""
    return {
        "S3Encryption": [given["s3Encryption"]],
        "CloudWatchEncryption": given["cloudwatchEncryption"],
        "JobBookmarksEncryption": given["jobBookmarksEncryption"],
    }


@made("name", "connectionType", "connectionProperties", "physicalConnectionRequirements")
def connection(name: str, kind: str, properties: dict[str, str] | None, place: dict[str, Any]) -> dict[str, Any]:
    """A connection, whose groups the service calls by another name."""
    return {
        "Name": name,
        "ConnectionType": kind,
        "ConnectionProperties": properties or {},
        "PhysicalConnectionRequirements": {
            "SubnetId": place["subnetId"],
            "AvailabilityZone": place["availabilityZone"],
            "SecurityGroupIdList": place["securityGroupIdLists"],
        },
    }


def _table_id(known: Known) -> str:
    return f"{known['databaseName']}:{known['name']}"


@made("configuration")
def work_group(given: dict[str, Any]) -> dict[str, Any]:
    """The configuration, with the service's own names where they differ from the provider's."""
    return {
        "EnforceWorkGroupConfiguration": given["enforceWorkgroupConfiguration"],
        "PublishCloudWatchMetricsEnabled": given["publishCloudwatchMetricsEnabled"],
        "BytesScannedCutoffPerQuery": given["bytesScannedCutoffPerQuery"],
        "ResultConfiguration": given["resultConfiguration"],
    }


DRIVERS = (
    Driver(
        type="aws:glue/job:Job",
        service="glue",
        create=(Call("CreateJob", {"Name": "name", **JOB, "Tags": "tags"}),),
        update=(
            Call("UpdateJob", {"JobName": "name", **{f"JobUpdate.{name}": source for name, source in JOB.items()}}),
        ),
        delete=(Call("DeleteJob", {"JobName": "name"}),),
        id="name",
    ),
    Driver(
        type="aws:glue/connection:Connection",
        service="glue",
        create=(Call("CreateConnection", {"ConnectionInput": connection, "Tags": "tags"}),),
        delete=(Call("DeleteConnection", {"ConnectionName": "name"}),),
        id="name",
    ),
    Driver(
        type="aws:glue/securityConfiguration:SecurityConfiguration",
        service="glue",
        create=(Call("CreateSecurityConfiguration", {"Name": "name", "EncryptionConfiguration": encryption}),),
        delete=(Call("DeleteSecurityConfiguration", {"Name": "name"}),),
        id="name",
    ),
    Driver(
        type="aws:glue/catalogDatabase:CatalogDatabase",
        service="glue",
        create=(
            Call(
                "CreateDatabase",
                {"DatabaseInput.Name": "name", "DatabaseInput.Description": "description", "Tags": "tags"},
            ),
        ),
        delete=(Call("DeleteDatabase", {"Name": "name"}),),
        id="name",
    ),
    Driver(
        type="aws:glue/catalogTable:CatalogTable",
        service="glue",
        create=(Call("CreateTable", {"DatabaseName": "databaseName", **TABLE_INPUT}, renames=TABLE_RENAMES),),
        update=(Call("UpdateTable", {"DatabaseName": "databaseName", **TABLE_INPUT}, renames=TABLE_RENAMES),),
        delete=(Call("DeleteTable", {"DatabaseName": "databaseName", "Name": "name"}),),
        id=Made(_table_id),
    ),
    Driver(
        type="aws:athena/workgroup:Workgroup",
        service="athena",
        create=(Call("CreateWorkGroup", {"Name": "name", "Configuration": work_group, "Tags": "tags"}),),
        delete=(Call("DeleteWorkGroup", {"WorkGroup": "name"}),),
        id="name",
        ignored={"forceDestroy": "not a trait of the workgroup: it says what a removal may do"},
    ),
)
