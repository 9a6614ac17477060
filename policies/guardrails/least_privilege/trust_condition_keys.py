"""Which services say whom they act for when they take on a role.

A condition on a key that a service does not send makes the role unusable, which no mock shows; one that is missing
lets the service be used by a stranger. Each entry cites the page that says it. `components/blocks/iam/trust_policy.py` has the
same table for what it makes; this one judges whoever made it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SentConditionKeys:
    """What one service sends with sts:AssumeRole."""

    guide: str
    """The page that says it, below https://docs.aws.amazon.com/."""
    account: bool
    arn: bool
    required: bool = True
    """Whether the conditions must be there; not where the service's guide shows trust policies without them too."""
    arn_part: str = ""
    """What the ARN that it sends contains, where people often name another."""

    @property
    def page(self) -> str:
        """The address of the page."""
        return f"https://docs.aws.amazon.com/{self.guide}"


SENT_KEYS_BY_SERVICE: dict[str, SentConditionKeys] = {
    "apigateway.amazonaws.com": SentConditionKeys(
        "apigateway/latest/developerguide/set-up-logging.html", account=False, arn=False
    ),
    "backup.amazonaws.com": SentConditionKeys(
        "aws-backup/latest/devguide/cross-service-confused-deputy-prevention.html", account=False, arn=False
    ),
    "bedrock-agentcore.amazonaws.com": SentConditionKeys(
        "bedrock-agentcore/latest/devguide/cross-service-confused-deputy-prevention.html", account=True, arn=True
    ),
    "ecs-tasks.amazonaws.com": SentConditionKeys(
        "AmazonECS/latest/developerguide/task-iam-roles.html", account=True, arn=True, required=False
    ),
    "events.amazonaws.com": SentConditionKeys(
        "eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html", account=True, arn=True
    ),
    "glue.amazonaws.com": SentConditionKeys("glue/latest/dg/create-an-iam-role.html", account=False, arn=False),
    "lambda.amazonaws.com": SentConditionKeys(
        "lambda/latest/dg/lambda-intro-execution-role.html", account=False, arn=False
    ),
    "mediaconvert.amazonaws.com": SentConditionKeys(
        "mediaconvert/latest/ug/cross-service-confused-deputy-prevention.html",
        account=True,
        arn=True,
        arn_part=":mediaconvert:",
    ),
    "scheduler.amazonaws.com": SentConditionKeys(
        "scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html",
        account=True,
        arn=True,
        arn_part=":schedule-group/",
    ),
    "states.amazonaws.com": SentConditionKeys(
        "step-functions/latest/dg/procedure-create-iam-role.html", account=True, arn=True
    ),
    "transcribe.amazonaws.com": SentConditionKeys("transcribe/latest/dg/confused-deputy.html", account=True, arn=True),
}
