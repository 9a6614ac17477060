"""Queues."""

from local.platform.drivers.model import Call, Driver, answered, const

ATTRIBUTES = {
    "Attributes.VisibilityTimeout": "visibilityTimeoutSeconds",
    "Attributes.MessageRetentionPeriod": "messageRetentionSeconds",
    "Attributes.ReceiveMessageWaitTimeSeconds": "receiveWaitTimeSeconds",
    "Attributes.SqsManagedSseEnabled": "sqsManagedSseEnabled",
    "Attributes.RedrivePolicy": "redrivePolicy",
    "Attributes.RedriveAllowPolicy": "redriveAllowPolicy",
}


def _attribute(kind: str, attribute: str, source: str) -> Driver:
    """An attribute of a queue that is a resource of its own; the service takes an empty one as none."""
    put = Call("SetQueueAttributes", {"QueueUrl": "queueUrl", f"Attributes.{attribute}": source})
    return Driver(
        type=kind,
        service="sqs",
        create=(put,),
        update=(put,),
        delete=(Call("SetQueueAttributes", {"QueueUrl": "queueUrl", f"Attributes.{attribute}": const("")}),),
        id="queueUrl",
    )


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
    _attribute("aws:sqs/queuePolicy:QueuePolicy", "Policy", "policy"),
    _attribute("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy", "RedriveAllowPolicy", "redriveAllowPolicy"),
)
