"""Spark jobs, the catalogue, and Athena's workgroups."""

from typing import Any

from local.platform.drivers.model import ComputedValue, Driver, DriverCall, ResourceValues, computed_from

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


@computed_from("encryptionConfiguration")
def encryption(given: dict[str, Any]) -> dict[str, Any]:
    """S3's setting is a list of one."""
    return {
        "S3Encryption": [given["s3Encryption"]],
        "CloudWatchEncryption": given["cloudwatchEncryption"],
        "JobBookmarksEncryption": given["jobBookmarksEncryption"],
    }


@computed_from("name", "connectionType", "connectionProperties", "physicalConnectionRequirements")
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


def _table_id(known: ResourceValues) -> str:
    return f"{known['databaseName']}:{known['name']}"


@computed_from("configuration")
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
        create=(DriverCall("CreateJob", {"Name": "name", **JOB, "Tags": "tags"}),),
        update=(
            DriverCall(
                "UpdateJob", {"JobName": "name", **{f"JobUpdate.{name}": source for name, source in JOB.items()}}
            ),
        ),
        delete=(DriverCall("DeleteJob", {"JobName": "name"}),),
        id="name",
    ),
    Driver(
        type="aws:glue/connection:Connection",
        service="glue",
        create=(DriverCall("CreateConnection", {"ConnectionInput": connection, "Tags": "tags"}),),
        delete=(DriverCall("DeleteConnection", {"ConnectionName": "name"}),),
        id="name",
    ),
    Driver(
        type="aws:glue/securityConfiguration:SecurityConfiguration",
        service="glue",
        create=(DriverCall("CreateSecurityConfiguration", {"Name": "name", "EncryptionConfiguration": encryption}),),
        delete=(DriverCall("DeleteSecurityConfiguration", {"Name": "name"}),),
        id="name",
    ),
    Driver(
        type="aws:glue/catalogDatabase:CatalogDatabase",
        service="glue",
        create=(
            DriverCall(
                "CreateDatabase",
                {"DatabaseInput.Name": "name", "DatabaseInput.Description": "description", "Tags": "tags"},
            ),
        ),
        delete=(DriverCall("DeleteDatabase", {"Name": "name"}),),
        id="name",
    ),
    Driver(
        type="aws:glue/catalogTable:CatalogTable",
        service="glue",
        create=(DriverCall("CreateTable", {"DatabaseName": "databaseName", **TABLE_INPUT}, renames=TABLE_RENAMES),),
        update=(DriverCall("UpdateTable", {"DatabaseName": "databaseName", **TABLE_INPUT}, renames=TABLE_RENAMES),),
        delete=(DriverCall("DeleteTable", {"DatabaseName": "databaseName", "Name": "name"}),),
        id=ComputedValue(_table_id),
    ),
    Driver(
        type="aws:athena/workgroup:Workgroup",
        service="athena",
        create=(DriverCall("CreateWorkGroup", {"Name": "name", "Configuration": work_group, "Tags": "tags"}),),
        delete=(DriverCall("DeleteWorkGroup", {"WorkGroup": "name"}),),
        id="name",
        ignored={"forceDestroy": "not a trait of the workgroup: it says what a removal may do"},
    ),
)
