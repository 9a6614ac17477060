"""Driver of Athena workgroups."""

from typing import Any

from local.platform.driver_model.driver import Driver, DriverCall, computed_from, from_template
from local.preview.preview_provider import ACCOUNT, REGION

ARN = from_template(f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/{{name}}")


@computed_from("configuration")
def work_group_configuration(given: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration with the names that the service requires."""
    return {
        "EnforceWorkGroupConfiguration": given["enforceWorkgroupConfiguration"],
        "PublishCloudWatchMetricsEnabled": given["publishCloudwatchMetricsEnabled"],
        "BytesScannedCutoffPerQuery": given["bytesScannedCutoffPerQuery"],
        "ResultConfiguration": given["resultConfiguration"],
    }


DRIVERS = (
    Driver(
        type="aws:athena/workgroup:Workgroup",
        service="athena",
        create=(
            DriverCall("CreateWorkGroup", {"Name": "name", "Configuration": work_group_configuration, "Tags": "tags"}),
        ),
        update=(DriverCall("TagResource", {"ResourceARN": ARN, "Tags": "tags"}),),
        delete=(DriverCall("DeleteWorkGroup", {"WorkGroup": "name"}),),
        id="name",
        ignored={
            "forceDestroy": "it permits the deletion of a workgroup with content, which the emulator always permits"
        },
    ),
)
