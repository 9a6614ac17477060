"""Driver of Athena workgroups: the API calls that create and delete them."""

from local.drivers.model import Driver, DriverCall

DRIVERS = (
    Driver(
        type="aws:athena/workgroup:Workgroup",
        service="athena",
        create=(DriverCall("CreateWorkGroup", {"Name": "name", "Configuration": "configuration", "Tags": "tags"}),),
        delete=(DriverCall("DeleteWorkGroup", {"WorkGroup": "name"}),),
        id="name",
        ignored={
            "forceDestroy": "it permits the deletion of a workgroup with content, which the emulator always permits"
        },
    ),
)
