"""Settings that all subsystems share: alerts, logs, data protection, budget, backup, identity provider and network."""

from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, HttpUrl, StringConstraints, field_validator, model_validator

from components.settings.base import Environment, SettingsModel
from handlers.common.json_models import TextForm

Email = Annotated[
    str,
    TextForm(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", "must be an e-mail address of at most 254 characters", max_length=254),
    Field(json_schema_extra={"format": "email"}),
]
TagValue = Annotated[
    str,
    TextForm(
        r"^[A-Za-z0-9 _.:/=+@-]{1,256}$",
        "must have 1 to 256 characters of A-Z, a-z, 0-9, the space and _ . : / = + @ -",
    ),
]
MonitorArn = Annotated[
    str,
    TextForm(
        r"^arn:aws[a-z-]*:ce::\d{12}:anomalymonitor/[A-Za-z0-9-]+$",
        "must be the ARN of a cost anomaly monitor: arn:aws:ce::<account>:anomalymonitor/<id>",
    ),
]

RetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]  # fmt: skip
"""Retention periods that CloudWatch Logs accepts."""


class AlertSettings(SettingsModel):
    """Settings of alerts: recipients, and the location of the runbooks."""

    emails: tuple[Email, ...] = ()
    """E-mail addresses that receive the alarms of severity CRITICAL. Each must confirm a link that AWS sends."""
    warning_emails: tuple[Email, ...] | None = None
    """E-mail addresses that receive the alarms of severity WARNING, budget alerts and anomaly alerts. The default is
    `emails`. Each must confirm another link."""
    runbooks: Annotated[str, StringConstraints(min_length=1)] = "docs/runbooks"
    """Location of the runbooks. The description of an alarm names its page below this path."""

    @field_validator("emails", "warning_emails")
    @classmethod
    def _refuse_duplicates(cls, emails: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if emails and (repeated := sorted({email for email in emails if emails.count(email) > 1})):
            raise ValueError(f"{', '.join(repeated)} occurs more than once: list each address once")
        return emails


class LogSettings(SettingsModel):
    """Settings of logs."""

    retention_days: RetentionDays = 90
    """Retention of every log group of the stack, and of the access logs in the bucket that receives them."""
    api_gateway_role_owned: bool = False
    """Create the role with which API Gateway writes logs. A region of an account has one such role, so only one stack
    of a region should create it."""


class DataSettings(SettingsModel):
    """Protection of stored data against accidental deletion and change."""

    deletion_protection: bool = True
    """Tables refuse deletion, Pulumi does not empty a bucket in order to delete it, and Pulumi refuses to delete
    resources that hold data."""
    point_in_time_recovery: bool = True
    """Point-in-time recovery: tables can be restored to any second of the last 35 days."""


class SpendSettings(SettingsModel):
    """Budget, and alerts about cost."""

    monthly_budget: Annotated[float, Field(gt=0, le=1_000_000)]
    """Budget in US dollars per month. The preview compares the estimate with it, and AWS Budgets compares the bill with
    it."""
    anomaly_monitor_owned: bool = True
    """Create an anomaly monitor if `anomalyMonitorArn` names none. An account allows few monitors, so stacks may share
    one."""
    anomaly_monitor_arn: MonitorArn | None = None
    """Existing anomaly monitor whose alerts this stack receives. The stack then creates none. A monitor that a stack
    creates filters by the tag `CostCenter`, and a member account of an organisation cannot create a monitor for a tag.
    So a stack in a member account must name an existing monitor, or set `anomalyMonitorOwned` to false."""


class BackupSettings(SettingsModel):
    """Daily backups of the tables."""

    retention_days: Annotated[int, Field(ge=1, le=3653)] = 35
    """Days that a backup is kept."""
    outlives_stack: bool = True
    """Keep the vault and its backups when the stack is destroyed. Otherwise they are deleted with the stack."""
    region_settings_owned: bool = False
    """Enable AWS Backup for DynamoDB in the account's region. Only one stack of a region should do this."""


class Auth(StrEnum):
    """Authentication of callers."""

    OIDC = "oidc"
    NONE = "none"


class IdentitySettings(SettingsModel):
    """OpenID Connect provider whose tokens the backends accept."""

    auth: Auth = Auth.OIDC
    """Authentication of callers. `oidc`: by a token of the OpenID Connect provider. `none`: every caller is accepted, which
    only local and dev allow."""
    issuer: HttpUrl | None = None
    """Issuer of the provider: the claim `iss` of its tokens."""
    audience: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """Required claim `aud` of the tokens."""
    jwks_url: HttpUrl | None = None
    """URL of the provider's keys. The default is `.well-known/jwks.json` below the issuer."""

    def token_variables(self, environment: Environment) -> dict[str, str | None]:
        """Return the variables of a function that verifies tokens of the provider.

        On the local platform, the issuer's host does not exist. So unless `jwksUrl` is set, the variable `JWKS_URL` is
        left out there, and the emulator sets it to the URL of the local identity provider's keys.
        """
        usual_url = (
            None if environment is Environment.LOCAL else f"{str(self.issuer).rstrip('/')}/.well-known/jwks.json"
        )
        keys_url = str(self.jwks_url) if self.jwks_url else usual_url
        return {"issuer": str(self.issuer), "audience": self.audience, "jwks_url": keys_url}


VpcId = Annotated[str, TextForm(r"^vpc-[0-9a-f]+$", "must be the id of a VPC, such as vpc-0123456789abcdef0")]
SubnetId = Annotated[
    str, TextForm(r"^subnet-[0-9a-f]+$", "must be the id of a subnet, such as subnet-0123456789abcdef0")
]
Zone = Literal["a", "b", "c", "d", "e", "f"]
"""Availability zone: the letter after the region's name."""
PRIVATE_RANGES = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
"""The private IPv4 ranges of RFC 1918."""


def _check_private(cidr: str) -> str:
    """Return a CIDR block. Raise ValueError if it is not a private network."""
    try:
        network = IPv4Network(cidr)
    except ValueError:
        raise ValueError("not a network: the first address must be a multiple of the block's size") from None
    if not any(network.subnet_of(private_range) for private_range in PRIVATE_RANGES):
        raise ValueError("use a private block (within 10/8, 172.16/12 or 192.168/16)")
    return cidr


Cidr = Annotated[
    str,
    TextForm(
        r"^([0-9]{1,3}\.){3}[0-9]{1,3}/(1[6-9]|2[0-8])$",
        "must be a block of a size between /16 and /28, such as 172.31.0.0/16",
    ),
    AfterValidator(_check_private),
]
"""CIDR block of a private network. AWS accepts sizes between /16 and /28."""
LargeCidr = Annotated[
    str,
    TextForm(r"^([0-9]{1,3}\.){3}[0-9]{1,3}/16$", "must be a block of the size /16, such as 10.64.0.0/16"),
    AfterValidator(_check_private),
]
"""CIDR block of a network that this program builds: a /16 block, from which each zone gets a /24 block."""


class BuiltNetwork(SettingsModel):
    """Network that this program builds, with one subnet in each zone."""

    cidr: LargeCidr
    """CIDR block of the network: a /16 block. Each zone's subnet is a /24 block of it."""
    zones: Annotated[tuple[Zone, ...], Field(min_length=1, max_length=3)] = ("a", "b")
    """Availability zones of the network. Interface endpoints cost money in each zone."""

    @field_validator("zones")
    @classmethod
    def _refuse_duplicates(cls, zones: tuple[Zone, ...]) -> tuple[Zone, ...]:
        if len(set(zones)) < len(zones):
            raise ValueError("list each zone once")
        return zones

    def subnet_cidr(self, zone: str) -> str:
        """Return the CIDR block of a zone's subnet. It depends only on the zone's letter, so adding or removing a zone
        changes no other subnet.
        """
        first, second, *_ = self.cidr.split(".")
        return f"{first}.{second}.{ord(zone) - ord('a')}.0/24"


class NetworkSettings(BuiltNetwork):
    """Network that functions and jobs may be attached to: an existing network, or a network that the program builds."""

    vpc_id: VpcId | None = None
    """Existing network to use. Without it, the program builds a network if a function or a job is attached."""
    subnet_ids: tuple[SubnetId, ...] = ()
    """Private subnets of the existing network. Its owner must provide the endpoints, or a route to the internet."""
    cidr: LargeCidr = "10.64.0.0/16"
    """CIDR block of the network, if the program builds one: a /16 block. Each zone's subnet is a /24 block of it."""

    @model_validator(mode="after")
    def _check_existing_network(self) -> Self:
        if (self.vpc_id is None) != (not self.subnet_ids):
            raise ValueError("vpcId and subnetIds belong together: give both, or neither to build a network")
        return self


PolicyName = Annotated[
    str,
    TextForm(
        r"^([\w+=,.@-]+/)*[\w+=,.@-]{1,128}$",
        "must be the path and name of a managed policy, without a slash at the beginning, such as team/boundary",
        max_length=512,
    ),
]
"""Path and name of a managed policy of the account, without a slash at the beginning."""


class FoundationSettings(SettingsModel):
    """Settings of the foundation, which all subsystems share."""

    owner: TagValue
    """Team that is responsible for the stack: the tag `Owner`."""
    cost_center: TagValue
    """Cost centre that pays: the tag `CostCenter`. Budget and anomaly monitor filter by it, so each stack needs its
    own."""
    alerts: AlertSettings = AlertSettings()
    logs: LogSettings = LogSettings()
    data: DataSettings = DataSettings()
    spend: SpendSettings
    backup: BackupSettings = BackupSettings()
    identity: IdentitySettings
    network: NetworkSettings = NetworkSettings()
    rollout_in_steps: bool = False
    """Publish new versions of functions without moving their alias `live`. The workflow's job `rollout`, or
    `.venv/bin/python -m operations rollout --all`, then gives them growing shares of the traffic while alarms are watched. A
    function with `liveVersion` keeps that version."""
    permissions_boundary: PolicyName | None = None
    """Permissions boundary of every role, as path and name of a managed policy. `bootstrap/roles.yaml` creates one. CI
    may create roles only with it."""
