"""Drivers of SQS queues, queue policies and redrive allow policies: the API calls that create, update and delete
them.
"""

from local import ACCOUNT, REGION
from local.drivers.model import (
    Driver,
    DriverCall,
    constant,
    from_template,
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

URL = from_template(f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{{name}}")
"""Address that the queue has on AWS. Clients send requests to their endpoint, and the emulator only reads account and
name."""


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
    )


DRIVERS = (
    Driver(
        type="aws:sqs/queue:Queue",
        service="sqs",
        create=(DriverCall("CreateQueue", {"QueueName": "name", "tags": "tags", **ATTRIBUTES}),),
        update=(DriverCall("SetQueueAttributes", {"QueueUrl": "id", **ATTRIBUTES}),),
        delete=(DriverCall("DeleteQueue", {"QueueUrl": "id"}),),
        id=URL,
        outputs={"url": URL},
    ),
    _attribute_driver("aws:sqs/queuePolicy:QueuePolicy", "Policy", "policy"),
    _attribute_driver("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy", "RedriveAllowPolicy", "redriveAllowPolicy"),
)
