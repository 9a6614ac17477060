"""Queues, topics and parameters in transit and at rest."""

from collections.abc import Iterator

from guardrails.data_protection.bucket_protection import inline, refuses_plain_http
from guardrails.model.iam_documents import parse_statements
from guardrails.model.resource_types import QUEUE, QUEUE_POLICY, TOPIC, TOPIC_POLICY
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


@POLICIES.relation(
    "queue-tls-only",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every queue refuses plain HTTP.",
    remedy="Use the queue block, which denies it.",
    frameworks=("AWS Well-Architected SEC09-BP02",),
    types={QUEUE},
)
@POLICIES.relation(
    "topic-tls-only",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every topic refuses plain HTTP.",
    remedy="Deny sns:Publish where aws:SecureTransport is false.",
    frameworks=("AWS Well-Architected SEC09-BP02",),
    types={TOPIC},
)
def _check_tls_only(topic: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    """Its policy is found by the ARN that the document names: the queue's URL and the topic's ARN come later."""
    mine = [
        policy
        for policy in (*stack.list_resources(POLICY_TYPES[topic.type]), *inline(topic, stack))
        if _is_about(policy, topic)
    ]
    if not any(refuses_plain_http(policy) for policy in mine):
        yield "Its policy does not refuse plain HTTP." if mine else "It has no policy, so plain HTTP is not refused."


def _is_about(policy: CheckedResource, resource: CheckedResource) -> bool:
    return any(
        arn.rpartition(":")[2] == resource.props.get("name")
        for statement in parse_statements(policy.props.get("policy"))
        for arn in statement.resources
    )


@POLICIES.resource(
    "queue-encrypted",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Queues are encrypted at rest.",
    remedy="Leave sqsManagedSseEnabled on.",
    frameworks=("AWS FSBP SQS.1",),
    types={QUEUE},
)
def _check_queue_encrypted(queue: CheckedResource) -> Iterator[str]:
    if queue.props.get("sqsManagedSseEnabled") is False and not queue.props.get("kmsMasterKeyId"):
        yield "Its encryption at rest is switched off (sqsManagedSseEnabled)."


@POLICIES.resource(
    "topic-key-lets-alarms-in",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="No topic uses the AWS-managed key, through which alarms cannot publish.",
    remedy="Leave kmsMasterKeyId out (SNS encrypts by itself), or use a key whose policy lets the services in.",
    types={TOPIC},
)
def _check_topic_key_lets_alarms_in(topic: CheckedResource) -> Iterator[str]:
    if str(topic.props.get("kmsMasterKeyId", "")).endswith("alias/aws/sns"):
        yield "It is encrypted with alias/aws/sns, through which no alarm, budget or event can publish."
