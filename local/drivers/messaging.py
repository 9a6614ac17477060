"""Drivers of SQS queues, SNS topics, EventBridge rules and archives, and EventBridge Scheduler schedules.

A driver lists a resource type's AWS calls for the local platform. A call passes each property as the parameter of the
same name, or of its name in `api_names`, or as a member of its `parent_parameter`. `only_properties` limits these
properties. The call's dictionary maps other parameters to a property or a computed value. If no `update` call uses a
changed property other than `tags`, the resource is replaced. `model.py` describes all fields.
"""

from local import ACCOUNT, REGION
from local.drivers.model import Driver, DriverCall, constant, from_response, from_template

QUEUE_ATTRIBUTES = {
    "Attributes.VisibilityTimeout": "visibilityTimeoutSeconds",
    "Attributes.MessageRetentionPeriod": "messageRetentionSeconds",
    "Attributes.SqsManagedSseEnabled": "sqsManagedSseEnabled",
    "Attributes.RedrivePolicy": "redrivePolicy",
    "Attributes.RedriveAllowPolicy": "redriveAllowPolicy",
}
"""Parameters of the calls that create and update a queue, each with its Pulumi property."""
QUEUE_URL = from_template(f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{{name}}")
"""Address that the queue has on AWS. Clients send their requests to the emulator nevertheless, which only reads account
and name in the address."""
SET_QUEUE_POLICY = DriverCall("SetQueueAttributes", {"Attributes.Policy": "policy"})
SET_TOPIC_POLICY = DriverCall("SetTopicAttributes", {"AttributeName": constant("Policy"), "AttributeValue": "policy"})
PUT_RULE = DriverCall("PutRule")
PUT_TARGET = DriverCall("PutTargets", parent_parameter="Targets")  # The properties become members of one target.

DRIVERS = (
    Driver(
        type="aws:sqs/queue:Queue",
        service="sqs",
        api_names={"id": "QueueUrl", "name": "QueueName"},
        create=(DriverCall("CreateQueue", QUEUE_ATTRIBUTES),),
        update=(DriverCall("SetQueueAttributes", QUEUE_ATTRIBUTES),),
        delete=(DriverCall("DeleteQueue"),),
        id=QUEUE_URL,
        outputs={"url": QUEUE_URL},
    ),
    Driver(
        type="aws:sqs/queuePolicy:QueuePolicy",
        service="sqs",
        create=(SET_QUEUE_POLICY,),
        update=(SET_QUEUE_POLICY,),
        delete=(DriverCall("SetQueueAttributes", {"Attributes.Policy": constant("")}),),
        id="queueUrl",
    ),
    Driver(
        type="aws:sns/topic:Topic",
        service="sns",
        api_names={"id": "TopicArn"},
        create=(DriverCall("CreateTopic"),),
        delete=(DriverCall("DeleteTopic"),),
        id=from_response("CreateTopic", "TopicArn"),
        outputs={"arn": from_response("CreateTopic", "TopicArn")},
    ),
    Driver(
        type="aws:sns/topicPolicy:TopicPolicy",
        service="sns",
        api_names={"arn": "TopicArn"},
        create=(SET_TOPIC_POLICY,),
        update=(SET_TOPIC_POLICY,),
        # There is no deletion call: a topic always has a policy, which is deleted together with the topic.
        id="arn",
    ),
    Driver(
        type="aws:sns/topicSubscription:TopicSubscription",
        service="sns",
        api_names={"id": "SubscriptionArn", "topic": "TopicArn"},
        create=(DriverCall("Subscribe", {"ReturnSubscriptionArn": constant(True)}),),
        delete=(DriverCall("Unsubscribe"),),
        id=from_response("Subscribe", "SubscriptionArn"),
    ),
    Driver(
        type="aws:cloudwatch/eventRule:EventRule",
        service="events",
        create=(PUT_RULE,),
        update=(PUT_RULE,),
        delete=(DriverCall("DeleteRule"),),
        id="name",
        outputs={"arn": from_response("PutRule", "RuleArn")},
    ),
    Driver(
        type="aws:cloudwatch/eventTarget:EventTarget",
        service="events",
        api_names={"targetId": "Id"},
        create=(PUT_TARGET,),
        update=(PUT_TARGET,),
        delete=(DriverCall("RemoveTargets"),),
        id=from_template("{rule}-{targetId}"),
    ),
    Driver(
        type="aws:cloudwatch/eventArchive:EventArchive",
        service="events",
        api_names={"name": "ArchiveName"},
        create=(DriverCall("CreateArchive"),),
        update=(DriverCall("UpdateArchive"),),
        delete=(DriverCall("DeleteArchive"),),
        id="name",
        outputs={"arn": from_response("CreateArchive", "ArchiveArn")},
    ),
    Driver(
        type="aws:scheduler/schedule:Schedule",
        service="scheduler",
        create=(DriverCall("CreateSchedule"),),
        update=(DriverCall("UpdateSchedule"),),
        delete=(DriverCall("DeleteSchedule"),),
        id="name",
        outputs={"arn": from_response("CreateSchedule", "ScheduleArn")},
    ),
)
