"""Drivers of SNS topics, topic policies and subscriptions: the API calls that create, update and delete them."""

from local.drivers.model import (
    Driver,
    DriverCall,
    constant,
    from_response,
)

SET_POLICY = DriverCall(
    "SetTopicAttributes", {"TopicArn": "arn", "AttributeName": constant("Policy"), "AttributeValue": "policy"}
)

DRIVERS = (
    Driver(
        type="aws:sns/topic:Topic",
        service="sns",
        create=(DriverCall("CreateTopic", {"Name": "name", "Tags": "tags"}),),
        delete=(DriverCall("DeleteTopic", {"TopicArn": "id"}),),
        id=from_response("CreateTopic", "TopicArn"),
        outputs={"arn": from_response("CreateTopic", "TopicArn")},
    ),
    Driver(
        type="aws:sns/topicPolicy:TopicPolicy",
        service="sns",
        create=(SET_POLICY,),
        update=(SET_POLICY,),
        # There is no deletion call: a topic always has a policy, which is deleted together with the topic.
        id="arn",
    ),
    Driver(
        type="aws:sns/topicSubscription:TopicSubscription",
        service="sns",
        create=(
            DriverCall(
                "Subscribe",
                {
                    "TopicArn": "topic",
                    "Protocol": "protocol",
                    "Endpoint": "endpoint",
                    "ReturnSubscriptionArn": constant(True),
                },
            ),
        ),
        delete=(DriverCall("Unsubscribe", {"SubscriptionArn": "id"}),),
        id=from_response("Subscribe", "SubscriptionArn"),
    ),
)
