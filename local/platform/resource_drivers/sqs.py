"""Drivers of SQS queues and their policies.

A driver lists the calls that create, change and delete one resource type on the emulator.
"""

from local.platform.driver_model.driver import Driver, DriverCall, ReadCall, constant, from_response

ATTRIBUTES = {
    "Attributes.VisibilityTimeout": "visibilityTimeoutSeconds",
    "Attributes.MessageRetentionPeriod": "messageRetentionSeconds",
    "Attributes.ReceiveMessageWaitTimeSeconds": "receiveWaitTimeSeconds",
    "Attributes.SqsManagedSseEnabled": "sqsManagedSseEnabled",
    "Attributes.RedrivePolicy": "redrivePolicy",
    "Attributes.RedriveAllowPolicy": "redriveAllowPolicy",
}


def _attribute_driver(pulumi_type: str, attribute: str, source: str) -> Driver:
    """Return the driver of a queue attribute that is a resource of its own. SQS deletes an attribute that is set to an
    empty text.
    """
    put = DriverCall("SetQueueAttributes", {"QueueUrl": "queueUrl", f"Attributes.{attribute}": source})
    return Driver(
        type=pulumi_type,
        service="sqs",
        create=(put,),
        update=(put,),
        delete=(DriverCall("SetQueueAttributes", {"QueueUrl": "queueUrl", f"Attributes.{attribute}": constant("")}),),
        id="queueUrl",
        read=(
            ReadCall(
                "GetQueueAttributes",
                {"QueueUrl": "queueUrl", "AttributeNames": constant([attribute])},
                f"Attributes.{attribute}",
                places={source: ""},
            ),
        ),
    )


DRIVERS = (
    Driver(
        type="aws:sqs/queue:Queue",
        service="sqs",
        create=(DriverCall("CreateQueue", {"QueueName": "name", "tags": "tags", **ATTRIBUTES}),),
        update=(
            DriverCall("SetQueueAttributes", {"QueueUrl": "id", **ATTRIBUTES}),
            DriverCall("TagQueue", {"QueueUrl": "id", "Tags": "tags"}),
        ),
        delete=(DriverCall("DeleteQueue", {"QueueUrl": "id"}),),
        id=from_response("CreateQueue", "QueueUrl"),
        outputs={"url": from_response("CreateQueue", "QueueUrl")},
        read=(
            ReadCall(
                "GetQueueAttributes",
                {"QueueUrl": "id", "AttributeNames": constant(["All"])},
                "Attributes",
                unset=("redrivePolicy",),
            ),
            ReadCall("ListQueueTags", {"QueueUrl": "id"}, places={"tags": "Tags"}, unset=("tags",)),
        ),
        unread={"name": "a queue cannot be renamed"},
    ),
    _attribute_driver("aws:sqs/queuePolicy:QueuePolicy", "Policy", "policy"),
    _attribute_driver("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy", "RedriveAllowPolicy", "redriveAllowPolicy"),
)
