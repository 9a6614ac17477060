"""Drivers of WAF web ACLs and their associations with resources: the API calls that create, tag and delete them.

The emulator stores web ACLs but does not apply them, so no request is blocked.
"""

from local.platform.driver_model.driver import Driver, DriverCall, from_response

DRIVERS = (
    Driver(
        type="aws:wafv2/webAcl:WebAcl",
        service="wafv2",
        create=(
            DriverCall(
                "CreateWebACL",
                {
                    "Name": "name",
                    "Scope": "scope",
                    "Description": "description",
                    "DefaultAction": "defaultAction",
                    "Rules": "rules",
                    "VisibilityConfig": "visibilityConfig",
                    "Tags": "tags",
                },
            ),
        ),
        update=(DriverCall("TagResource", {"ResourceARN": "arn", "Tags": "tags"}),),
        delete=(DriverCall("DeleteWebACL", {"Name": "name", "Scope": "scope", "Id": "id", "LockToken": "lockToken"}),),
        id=from_response("CreateWebACL", "Summary.Id"),
        outputs={
            "arn": from_response("CreateWebACL", "Summary.ARN"),
            "lockToken": from_response("CreateWebACL", "Summary.LockToken"),
        },
    ),
    Driver(
        type="aws:wafv2/webAclAssociation:WebAclAssociation",
        service="wafv2",
        create=(DriverCall("AssociateWebACL", {"ResourceArn": "resourceArn", "WebACLArn": "webAclArn"}),),
        delete=(DriverCall("DisassociateWebACL", {"ResourceArn": "resourceArn"}),),
        id="resourceArn",
    ),
)
