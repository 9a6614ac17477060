"""Drivers of SNS topics, topic policies and subscriptions: the API calls that create, update, read and delete them."""

from local.platform.driver_model.driver import (
    WHOLE_RESULT,
    Driver,
    DriverCall,
    ReadCall,
    constant,
    from_response,
    read_tags,
)

SET_POLICY = DriverCall(
    "SetTopicAttributes", {"TopicArn": "arn", "AttributeName": constant("Policy"), "AttributeValue": "policy"}
)

DRIVERS = (
    Driver(
        type="aws:sns/topic:Topic",
        service="sns",
        create=(DriverCall("CreateTopic", {"Name": "name", "Tags": "tags"}),),
        update=(DriverCall("TagResource", {"ResourceArn": "id", "Tags": "tags"}),),
        delete=(DriverCall("DeleteTopic", {"TopicArn": "id"}),),
        id=from_response("CreateTopic", "TopicArn"),
        outputs={"arn": from_response("CreateTopic", "TopicArn")},
        read=(
            ReadCall("GetTopicAttributes", {"TopicArn": "id"}, "Attributes"),
            read_tags("ListTagsForResource", {"ResourceArn": "id"}),
        ),
        not_read={"name": "it never changes, because a topic cannot be renamed"},
    ),
    Driver(
        type="aws:sns/topicPolicy:TopicPolicy",
        service="sns",
        create=(SET_POLICY,),
        update=(SET_POLICY,),
        # There is no deletion call: a topic always has a policy, which is deleted together with the topic.
        id="arn",
        read=(
            ReadCall(
                "GetTopicAttributes",
                {"TopicArn": "arn"},
                "Attributes.Policy",
                values_in_result={"policy": WHOLE_RESULT},
            ),
        ),
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
        read=(ReadCall("GetSubscriptionAttributes", {"SubscriptionArn": "id"}, "Attributes"),),
    ),
)
