"""SNS topic that receives every alarm, budget alert and anomaly alert, with its e-mail subscriptions.

The topic has no KMS key, only SNS' default encryption at rest. With SNS' AWS managed key, CloudWatch could not publish,
and no alarm would arrive.
"""

import json

import pulumi
from pulumi_aws import sns

from components.blocks.naming.context import Context, Subsystem
from components.blocks.naming.physical_names import Kind
from components.settings.foundation import AlertSettings

PUBLISHERS = (
    "budgets.amazonaws.com",
    "cloudwatch.amazonaws.com",
    "costalerts.amazonaws.com",
)
"""Services that publish to the topic: AWS Budgets, CloudWatch alarms, and cost anomaly detection. AWS' guides for these
services show a topic policy with a condition on the account, so the policy of this topic can exclude other accounts."""


class Alerts(pulumi.ComponentResource):
    """Topic for alerts. Only the listed services may publish to it, and only for this account."""

    def __init__(self, context: Context, settings: AlertSettings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:foundation:Alerts", "foundation-alerts", None, opts)
        child = pulumi.ResourceOptions(parent=self)
        name = context.name(Kind.TOPIC, Subsystem.FOUNDATION, "alerts")
        self.topic_arn = context.arn("sns", name)
        topic = sns.Topic(
            "foundation-alerts-topic", name=name, tags=context.tags(Subsystem.FOUNDATION, "alerts"), opts=child
        )
        self.policy = sns.TopicPolicy(
            "foundation-alerts-policy",
            arn=topic.arn,
            policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "OnlyTls",
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "sns:Publish",
                            "Resource": self.topic_arn,
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        },
                        {
                            "Sid": "ServicesOfThisAccount",
                            "Effect": "Allow",
                            "Principal": {"Service": list(PUBLISHERS)},
                            "Action": "sns:Publish",
                            "Resource": self.topic_arn,
                            "Condition": {"StringEquals": {"aws:SourceAccount": context.account}},
                        },
                    ],
                }
            ),
            opts=child,
        )
        for email in settings.emails:
            sns.TopicSubscription(
                f"foundation-alerts-{email}", topic=topic.arn, protocol="email", endpoint=email, opts=child
            )
        self.register_outputs({"topicArn": self.topic_arn})
