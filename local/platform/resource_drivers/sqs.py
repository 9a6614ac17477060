"""Drivers of SQS queues, queue policies and redrive allow policies: the API calls that create, update, read and delete
them.
"""

from local.platform.driver_model.driver import (
    WHOLE_RESULT,
    Driver,
    DriverCall,
    ReadCall,
    constant,
    from_response,
    read_tags,
)

ATTRIBUTES = {
    "Attributes.VisibilityTimeout": "visibilityTimeoutSeconds",
    "Attributes.MessageRetentionPeriod": "messageRetentionSeconds",
    "Attributes.ReceiveMessageWaitTimeSeconds": "receiveWaitTimeSeconds",
    "Attributes.SqsManagedSseEnabled": "sqsManagedSseEnabled",
    "Attributes.RedrivePolicy": "redrivePolicy",
    "Attributes.RedriveAllowPolicy": "redriveAllowPolicy",
}
"""Parameters of the calls that create and update a queue, each with its Pulumi property."""


def _attribute_driver(pulumi_type: str, attribute: str, source: str) -> Driver:
    """Return the driver of a queue attribute that is a resource of its own in Pulumi. An empty text deletes the
    attribute.

    `source` is the property with the attribute's value.
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
                values_in_result={source: WHOLE_RESULT},
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
                returned_only_if_set=("redrivePolicy",),
            ),
            read_tags("ListQueueTags", {"QueueUrl": "id"}),
        ),
        not_read={"name": "it never changes, because a queue cannot be renamed"},
    ),
    _attribute_driver("aws:sqs/queuePolicy:QueuePolicy", "Policy", "policy"),
    _attribute_driver("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy", "RedriveAllowPolicy", "redriveAllowPolicy"),
)
