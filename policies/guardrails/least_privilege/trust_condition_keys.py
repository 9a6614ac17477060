"""Table of the condition keys that AWS services send when they assume a role.

The guardrails about trust policies use it. If a trust policy compares a key that the service does not send, the service
can never assume the role, and no test without AWS shows that. If a trust policy compares no key, other accounts may use
the service with the role. Each entry cites the AWS page about the service.

`components/blocks/iam/trust_policy.py` has its own table for the roles that components of the program create. This
table applies to all roles, whatever code creates them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SentConditionKeys:
    """The condition keys that a service sends with sts:AssumeRole."""

    guide: str
    """Path, below https://docs.aws.amazon.com/, of the page that shows which keys the service sends. The page documents
    the keys, or a policy that needs none of them.
    """
    sends_account: bool
    """True if the service sends `aws:SourceAccount`."""
    sends_arn: bool
    """True if the service sends `aws:SourceArn`."""
    is_required: bool = True
    """True if trust policies must compare the keys that the service sends. False if a trust policy may omit them,
    because the service's guide also shows trust policies without them.
    """
    arn_part: str = ""
    """Text that every ARN from the service contains. The guardrail refuses a trust policy that compares an ARN without
    this text, for example the ARN of a schedule instead of its schedule group. Empty if the guardrail accepts every ARN.
    """

    @property
    def page(self) -> str:
        """URL of the documenting page."""
        return f"https://docs.aws.amazon.com/{self.guide}"


SENT_KEYS_BY_SERVICE: dict[str, SentConditionKeys] = {
    "apigateway.amazonaws.com": SentConditionKeys(
        "apigateway/latest/developerguide/set-up-logging.html", sends_account=False, sends_arn=False
    ),
    # The page describes conditions on both keys in the policies of topics and KMS keys only, not in trust policies.
    "backup.amazonaws.com": SentConditionKeys(
        "aws-backup/latest/devguide/cross-service-confused-deputy-prevention.html", sends_account=False, sends_arn=False
    ),
    "bedrock-agentcore.amazonaws.com": SentConditionKeys(
        "bedrock-agentcore/latest/devguide/cross-service-confused-deputy-prevention.html",
        sends_account=True,
        sends_arn=True,
    ),
    "ecs-tasks.amazonaws.com": SentConditionKeys(
        "AmazonECS/latest/developerguide/task-iam-roles.html", sends_account=True, sends_arn=True, is_required=False
    ),
    "events.amazonaws.com": SentConditionKeys(
        "eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html", sends_account=True, sends_arn=True
    ),
    "glue.amazonaws.com": SentConditionKeys(
        "glue/latest/dg/create-an-iam-role.html", sends_account=False, sends_arn=False
    ),
    "lambda.amazonaws.com": SentConditionKeys(
        "lambda/latest/dg/lambda-intro-execution-role.html", sends_account=False, sends_arn=False
    ),
    "mediaconvert.amazonaws.com": SentConditionKeys(
        "mediaconvert/latest/ug/cross-service-confused-deputy-prevention.html",
        sends_account=True,
        sends_arn=True,
        arn_part=":mediaconvert:",
    ),
    "scheduler.amazonaws.com": SentConditionKeys(
        "scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html",
        sends_account=True,
        sends_arn=True,
        arn_part=":schedule-group/",
    ),
    "states.amazonaws.com": SentConditionKeys(
        "step-functions/latest/dg/procedure-create-iam-role.html", sends_account=True, sends_arn=True
    ),
    "transcribe.amazonaws.com": SentConditionKeys(
        "transcribe/latest/dg/confused-deputy.html", sends_account=True, sends_arn=True
    ),
}
