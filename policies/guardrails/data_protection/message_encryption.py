"""Queues, topics and parameters in transit and at rest."""

from collections.abc import Iterator

from guardrails.data_protection.bucket_protection import inline, refuses_plain_http
from guardrails.model.iam_documents import statements
from guardrails.model.resource_types import QUEUE, QUEUE_POLICY, TOPIC, TOPIC_POLICY
from guardrails.pack.policy_kinds import ALWAYS, Group, Judged, PolicySet, Severity, Stack

POLICIES = PolicySet(Group.DATA_PROTECTION)

POLICY_TYPES = {QUEUE: QUEUE_POLICY, TOPIC: TOPIC_POLICY}


@POLICIES.relation(
    "queue-tls-only",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="Every queue refuses plain HTTP.",
    remedy="Use the queue block, which denies it.",
    frameworks=("AWS Well-Architected SEC09-BP02",),
    types={QUEUE},
)
@POLICIES.relation(
    "topic-tls-only",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="Every topic refuses plain HTTP.",
    remedy="Deny sns:Publish where aws:SecureTransport is false.",
    frameworks=("AWS Well-Architected SEC09-BP02",),
    types={TOPIC},
)
def _plain_http(one: Judged, stack: Stack) -> Iterator[str]:
    """Its policy is found by the ARN that the document names: the queue's URL and the topic's ARN come later."""
    mine = [policy for policy in (*stack.of(POLICY_TYPES[one.type]), *inline(one, stack)) if _is_about(policy, one)]
    if not any(refuses_plain_http(policy) for policy in mine):
        yield "Its policy does not refuse plain HTTP." if mine else "It has no policy, so plain HTTP is not refused."


def _is_about(policy: Judged, one: Judged) -> bool:
    return any(
        resource.rpartition(":")[2] == one.props.get("name")
        for statement in statements(policy.props.get("policy"))
        for resource in statement.resources
    )


@POLICIES.resource(
    "queue-encrypted",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="Queues are encrypted at rest.",
    remedy="Leave sqsManagedSseEnabled on.",
    frameworks=("AWS FSBP SQS.1",),
    types={QUEUE},
)
def _unencrypted(one: Judged) -> Iterator[str]:
    if one.props.get("sqsManagedSseEnabled") is False and not one.props.get("kmsMasterKeyId"):
        yield "Its encryption at rest is switched off (sqsManagedSseEnabled)."


@POLICIES.resource(
    "topic-key-lets-alarms-in",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="No topic uses the AWS-managed key, through which alarms cannot publish.",
    remedy="Leave kmsMasterKeyId out (SNS encrypts by itself), or use a key whose policy lets the services in.",
    types={TOPIC},
)
def _silent(one: Judged) -> Iterator[str]:
    if str(one.props.get("kmsMasterKeyId", "")).endswith("alias/aws/sns"):
        yield "It is encrypted with alias/aws/sns, through which no alarm, budget or event can publish."
