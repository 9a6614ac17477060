"""Driver of Athena workgroups: the API calls that create, tag and delete them."""

from local.platform.driver_model.driver import Driver, DriverCall, from_template
from local.preview.preview_provider import ACCOUNT, REGION

ARN = from_template(f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/{{name}}")

DRIVERS = (
    Driver(
        type="aws:athena/workgroup:Workgroup",
        service="athena",
        create=(DriverCall("CreateWorkGroup", {"Name": "name", "Configuration": "configuration", "Tags": "tags"}),),
        update=(DriverCall("TagResource", {"ResourceARN": ARN, "Tags": "tags"}),),
        delete=(DriverCall("DeleteWorkGroup", {"WorkGroup": "name"}),),
        id="name",
        ignored={
            "forceDestroy": "it permits the deletion of a workgroup with content, which the emulator always permits"
        },
    ),
)
