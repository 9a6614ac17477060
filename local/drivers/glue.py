"""Drivers of Glue jobs, connections, security configurations, catalog databases and tables: the API calls that create,
update and delete them.
"""

from local.drivers.model import (
    Driver,
    DriverCall,
    computed_from,
    from_template,
)

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
"""Parameters of the calls that create and update a job, each with its Pulumi property."""
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
"""Parameters of the calls that create and update a table, each with its Pulumi property."""
TABLE_RENAMES = {"serDeInfo": "SerdeInfo"}


@computed_from("connectionProperties")
def connection_properties(given: dict[str, str] | None) -> dict[str, str]:
    """Return a connection's properties. CreateConnection requires the parameter even if there are none."""
    return given or {}


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
        create=(
            DriverCall(
                "CreateConnection",
                {
                    "ConnectionInput.Name": "name",
                    "ConnectionInput.ConnectionType": "connectionType",
                    "ConnectionInput.ConnectionProperties": connection_properties,
                    "ConnectionInput.PhysicalConnectionRequirements": "physicalConnectionRequirements",
                    "Tags": "tags",
                },
            ),
        ),
        delete=(DriverCall("DeleteConnection", {"ConnectionName": "name"}),),
        id="name",
    ),
    Driver(
        type="aws:glue/securityConfiguration:SecurityConfiguration",
        service="glue",
        create=(
            DriverCall(
                "CreateSecurityConfiguration", {"Name": "name", "EncryptionConfiguration": "encryptionConfiguration"}
            ),
        ),
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
        create=(
            DriverCall("CreateTable", {"DatabaseName": "databaseName", **TABLE_INPUT}, nested_renames=TABLE_RENAMES),
        ),
        update=(
            DriverCall("UpdateTable", {"DatabaseName": "databaseName", **TABLE_INPUT}, nested_renames=TABLE_RENAMES),
        ),
        delete=(DriverCall("DeleteTable", {"DatabaseName": "databaseName", "Name": "name"}),),
        id=from_template("{databaseName}:{name}"),
    ),
)
