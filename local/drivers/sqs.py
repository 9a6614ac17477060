"""Queues."""

from local.drivers.model import Call, Driver, answered

ATTRIBUTES = {
    "Attributes.VisibilityTimeout": "visibilityTimeoutSeconds",
    "Attributes.MessageRetentionPeriod": "messageRetentionSeconds",
    "Attributes.ReceiveMessageWaitTimeSeconds": "receiveWaitTimeSeconds",
    "Attributes.SqsManagedSseEnabled": "sqsManagedSseEnabled",
    "Attributes.RedrivePolicy": "redrivePolicy",
    "Attributes.RedriveAllowPolicy": "redriveAllowPolicy",
}

DRIVERS = (
    Driver(
        type="aws:sqs/queue:Queue",
        service="sqs",
        create=(Call("CreateQueue", {"QueueName": "name", "tags": "tags", **ATTRIBUTES}),),
        update=(
            Call("SetQueueAttributes", {"QueueUrl": "id", **ATTRIBUTES}),
            Call("TagQueue", {"QueueUrl": "id", "Tags": "tags"}),
        ),
        delete=(Call("DeleteQueue", {"QueueUrl": "id"}),),
        id=answered("CreateQueue", "QueueUrl"),
        outputs={"url": answered("CreateQueue", "QueueUrl")},
    ),
    Driver(
        type="aws:sqs/queuePolicy:QueuePolicy",
        service="sqs",
        create=(Call("SetQueueAttributes", {"QueueUrl": "queueUrl", "Attributes.Policy": "policy"}),),
        update=(Call("SetQueueAttributes", {"QueueUrl": "queueUrl", "Attributes.Policy": "policy"}),),
        id="queueUrl",
    ),
)
