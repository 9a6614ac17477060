"""Which services say whom they act for when they take on a role.

A condition on a key that a service does not send makes the role unusable, which no mock shows; one that is missing
lets the service be used by a stranger. Each entry cites the page that says it. `components/blocks/trust.py` has the
same table for what it makes; this one judges whoever made it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sends:
    """What one service sends with sts:AssumeRole."""

    account: bool
    arn: bool
    page: str
    required: bool = True
    """Whether the conditions must be there; not where the service's guide shows trust policies without them too."""
    arn_part: str = ""
    """What the ARN that it sends contains, where people often name another."""


DOCS = "https://docs.aws.amazon.com"

SENDS: dict[str, Sends] = {
    "apigateway.amazonaws.com": Sends(
        account=False, arn=False, page=f"{DOCS}/apigateway/latest/developerguide/set-up-logging.html"
    ),
    "backup.amazonaws.com": Sends(
        account=False,
        arn=False,
        page=f"{DOCS}/aws-backup/latest/devguide/cross-service-confused-deputy-prevention.html",
    ),
    "bedrock-agentcore.amazonaws.com": Sends(
        account=True,
        arn=True,
        page=f"{DOCS}/bedrock-agentcore/latest/devguide/cross-service-confused-deputy-prevention.html",
    ),
    "ecs-tasks.amazonaws.com": Sends(
        account=True, arn=True, required=False, page=f"{DOCS}/AmazonECS/latest/developerguide/task-iam-roles.html"
    ),
    "events.amazonaws.com": Sends(
        account=True,
        arn=True,
        page=f"{DOCS}/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html",
    ),
    "glue.amazonaws.com": Sends(account=False, arn=False, page=f"{DOCS}/glue/latest/dg/create-an-iam-role.html"),
    "lambda.amazonaws.com": Sends(
        account=False, arn=False, page=f"{DOCS}/lambda/latest/dg/lambda-intro-execution-role.html"
    ),
    "mediaconvert.amazonaws.com": Sends(
        account=True,
        arn=True,
        arn_part=":mediaconvert:",
        page=f"{DOCS}/mediaconvert/latest/ug/cross-service-confused-deputy-prevention.html",
    ),
    "scheduler.amazonaws.com": Sends(
        account=True,
        arn=True,
        arn_part=":schedule-group/",
        page=f"{DOCS}/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html",
    ),
    "states.amazonaws.com": Sends(
        account=True, arn=True, page=f"{DOCS}/step-functions/latest/dg/procedure-create-iam-role.html"
    ),
    "transcribe.amazonaws.com": Sends(account=True, arn=True, page=f"{DOCS}/transcribe/latest/dg/confused-deputy.html"),
}
