"""Guardrail policies about SQS queues and SNS topics: they refuse requests without TLS, encrypt stored messages with a
key that lets alarms publish, and deliver over TLS.
"""

from collections.abc import Iterator

from guardrails.model.iam_documents import parse_statements
from guardrails.model.plain_http_refusal import list_own_policy, refuses_plain_http
from guardrails.model.related_resources import is_configured
from guardrails.model.resource_types import (
    EVENT_API_DESTINATION,
    QUEUE,
    QUEUE_POLICY,
    TOPIC,
    TOPIC_POLICY,
    TOPIC_SUBSCRIPTION,
)
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

POLICY_TYPES = {QUEUE: QUEUE_POLICY, TOPIC: TOPIC_POLICY}
"""Type of the separate resource that attaches an IAM policy to a queue or topic."""


@POLICIES.resource_in_stack(
    "queue-tls-only",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every queue refuses requests without TLS.",
    remedy="Use the queue block (components/blocks/messaging/queue.py), which denies requests without TLS.",
    frameworks=("AWS Well-Architected SEC09-BP02",),
    types={QUEUE},
)
@POLICIES.resource_in_stack(
    "topic-tls-only",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every topic refuses requests without TLS.",
    remedy="Deny sns:Publish if aws:SecureTransport is false.",
    frameworks=("AWS Well-Architected SEC09-BP02",),
    types={TOPIC},
)
def _check_tls_only(resource: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    """Yield a violation if no IAM policy of the queue or topic refuses plain HTTP.

    The last part of the ARNs in the policy's document shows to which queue or topic the policy belongs. The queue's URL
    and the topic's ARN are not used, because they are unknown in a preview.
    """
    policies = [
        policy
        for policy in (*stack.list_resources(POLICY_TYPES[resource.type]), *list_own_policy(resource, stack))
        if _names_resource(policy, resource)
    ]
    if not is_configured(policies, refuses_plain_http):
        yield (
            "The IAM policy does not refuse requests without TLS (plain HTTP)."
            if policies
            else "There is no IAM policy, so requests without TLS (plain HTTP) are not refused."
        )


def _names_resource(policy: CheckedResource, resource: CheckedResource) -> bool:
    return any(
        arn.rpartition(":")[2] == resource.props.get("name")
        for statement in parse_statements(policy.props.get("policy"))
        for arn in statement.resources
    )


@POLICIES.resource(
    "queue-encrypted",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every queue is encrypted at rest.",
    remedy="Leave sqsManagedSseEnabled at its default, true.",
    frameworks=("AWS FSBP SQS.1",),
    types={QUEUE},
)
def _check_queue_encrypted(queue: CheckedResource) -> Iterator[str]:
    if queue.props.get("sqsManagedSseEnabled") is False and not queue.props.get("kmsMasterKeyId"):
        yield "sqsManagedSseEnabled is false and kmsMasterKeyId is not set, so the queue is not encrypted at rest."


@POLICIES.resource(
    "topic-key-lets-alarms-in",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="No topic uses the AWS-managed key of SNS, because CloudWatch alarms cannot publish to such a topic.",
    remedy=(
        "Remove kmsMasterKeyId, because SNS encrypts stored messages by default, or use a customer-managed key whose "
        "policy allows the publishing services."
    ),
    types={TOPIC},
)
def _check_topic_key_lets_alarms_in(topic: CheckedResource) -> Iterator[str]:
    if str(topic.props.get("kmsMasterKeyId", "")).endswith("alias/aws/sns"):
        yield "kmsMasterKeyId is alias/aws/sns. Alarms and EventBridge cannot publish to a topic with this key."


@POLICIES.resource(
    "deliveries-over-tls",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Topics and event rules deliver messages only over TLS.",
    remedy="Deliver to an address that starts with https:// (a topic needs the protocol https), or to a queue.",
    frameworks=("AWS Well-Architected SEC09-BP02",),
    types={EVENT_API_DESTINATION, TOPIC_SUBSCRIPTION},
)
def _check_deliveries_over_tls(resource: CheckedResource) -> Iterator[str]:
    if resource.props.get("protocol") == "http":
        yield "protocol is http, so messages are delivered unencrypted."
    key = "endpoint" if resource.type == TOPIC_SUBSCRIPTION else "invocationEndpoint"
    if str(resource.props.get(key)).strip().lower().startswith("http://"):
        yield f"{key} starts with http://, so messages are delivered unencrypted."
