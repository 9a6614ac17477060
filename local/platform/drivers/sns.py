"""Topics."""

from local.platform.drivers.model import Call, Driver, answered, const

POLICY = Call("SetTopicAttributes", {"TopicArn": "arn", "AttributeName": const("Policy"), "AttributeValue": "policy"})

DRIVERS = (
    Driver(
        type="aws:sns/topic:Topic",
        service="sns",
        create=(Call("CreateTopic", {"Name": "name", "Tags": "tags"}),),
        update=(Call("TagResource", {"ResourceArn": "id", "Tags": "tags"}),),
        delete=(Call("DeleteTopic", {"TopicArn": "id"}),),
        id=answered("CreateTopic", "TopicArn"),
        outputs={"arn": answered("CreateTopic", "TopicArn")},
    ),
    Driver(
        type="aws:sns/topicPolicy:TopicPolicy",
        service="sns",
        create=(POLICY,),
        update=(POLICY,),
        id="arn",
    ),
    Driver(
        type="aws:sns/topicSubscription:TopicSubscription",
        service="sns",
        create=(
            Call(
                "Subscribe",
                {
                    "TopicArn": "topic",
                    "Protocol": "protocol",
                    "Endpoint": "endpoint",
                    "ReturnSubscriptionArn": const(True),
                },
            ),
        ),
        delete=(Call("Unsubscribe", {"SubscriptionArn": "id"}),),
        id=answered("Subscribe", "SubscriptionArn"),
    ),
)
