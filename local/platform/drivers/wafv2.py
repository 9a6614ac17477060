"""Web firewalls. The emulator keeps them and asks them nothing: it lets every request through."""

from local.platform.drivers.model import Call, Driver, answered

SUMMARY = "Summary"

DRIVERS = (
    Driver(
        type="aws:wafv2/webAcl:WebAcl",
        service="wafv2",
        create=(
            Call(
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
        update=(Call("TagResource", {"ResourceARN": "arn", "Tags": "tags"}),),
        delete=(Call("DeleteWebACL", {"Name": "name", "Scope": "scope", "Id": "id", "LockToken": "lockToken"}),),
        id=answered("CreateWebACL", f"{SUMMARY}.Id"),
        outputs={
            "arn": answered("CreateWebACL", f"{SUMMARY}.ARN"),
            "lockToken": answered("CreateWebACL", f"{SUMMARY}.LockToken"),
        },
    ),
    Driver(
        type="aws:wafv2/webAclAssociation:WebAclAssociation",
        service="wafv2",
        create=(Call("AssociateWebACL", {"ResourceArn": "resourceArn", "WebACLArn": "webAclArn"}),),
        delete=(Call("DisassociateWebACL", {"ResourceArn": "resourceArn"}),),
        id="resourceArn",
    ),
)
