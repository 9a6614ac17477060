"""Which services say whom they act for when they take on a role.

A condition on a key that a service does not send makes the role unusable, which no mock shows; one that is missing
lets the service be used by a stranger. Each entry cites the page that says it. `components/blocks/iam/trust_policy.py` has the
same table for what it makes; this one judges whoever made it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sends:
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


SENDS: dict[str, Sends] = {
    "apigateway.amazonaws.com": Sends("apigateway/latest/developerguide/set-up-logging.html", account=False, arn=False),
    "backup.amazonaws.com": Sends(
        "aws-backup/latest/devguide/cross-service-confused-deputy-prevention.html", account=False, arn=False
    ),
    "bedrock-agentcore.amazonaws.com": Sends(
        "bedrock-agentcore/latest/devguide/cross-service-confused-deputy-prevention.html", account=True, arn=True
    ),
    "ecs-tasks.amazonaws.com": Sends(
        "AmazonECS/latest/developerguide/task-iam-roles.html", account=True, arn=True, required=False
    ),
    "events.amazonaws.com": Sends(
        "eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html", account=True, arn=True
    ),
    "glue.amazonaws.com": Sends("glue/latest/dg/create-an-iam-role.html", account=False, arn=False),
    "lambda.amazonaws.com": Sends("lambda/latest/dg/lambda-intro-execution-role.html", account=False, arn=False),
    "mediaconvert.amazonaws.com": Sends(
        "mediaconvert/latest/ug/cross-service-confused-deputy-prevention.html",
        account=True,
        arn=True,
        arn_part=":mediaconvert:",
    ),
    "scheduler.amazonaws.com": Sends(
        "scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html",
        account=True,
        arn=True,
        arn_part=":schedule-group/",
    ),
    "states.amazonaws.com": Sends("step-functions/latest/dg/procedure-create-iam-role.html", account=True, arn=True),
    "transcribe.amazonaws.com": Sends("transcribe/latest/dg/confused-deputy.html", account=True, arn=True),
}
