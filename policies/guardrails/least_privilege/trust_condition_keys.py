"""Table of the condition keys that AWS services send when they assume a role.

The guardrails about trust policies use it. A condition on a key that the service does not send makes the role unusable,
which tests with mocks do not show. A missing condition lets other accounts use the service with the role. Each entry
cites the AWS page that documents it. `components/blocks/iam/trust_policy.py` has its own table for the roles that the
blocks create. This table applies to all roles, whatever code creates them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SentConditionKeys:
    """The condition keys that a service sends with sts:AssumeRole."""

    guide: str
    """Path of the page that documents the keys, below https://docs.aws.amazon.com/."""
    sends_account: bool
    """True if the service sends `aws:SourceAccount`."""
    sends_arn: bool
    """True if the service sends `aws:SourceArn`."""
    is_required: bool = True
    """True if the guardrail requires the conditions. False if the service's guide also shows trust policies without
    them.
    """
    arn_part: str = ""
    """A part of the ARN that the service sends, for services whose trust policies often name another kind of ARN. Empty
    for other services.
    """

    @property
    def page(self) -> str:
        """URL of the documenting page."""
        return f"https://docs.aws.amazon.com/{self.guide}"


SENT_KEYS_BY_SERVICE: dict[str, SentConditionKeys] = {
    "apigateway.amazonaws.com": SentConditionKeys(
        "apigateway/latest/developerguide/set-up-logging.html", sends_account=False, sends_arn=False
    ),
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
