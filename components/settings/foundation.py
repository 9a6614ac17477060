"""Settings of what all subsystems stand on: alerts, spend, backup, logs, identity."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, HttpUrl, StringConstraints, field_validator, model_validator

from components.settings.networks import BuiltNetwork, Cidr, SubnetId, VpcId
from components.settings.settings_base import SettingsModel

Email = Annotated[
    str,
    StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254),
    Field(json_schema_extra={"format": "email"}),
]
TagValue = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 _.:/=+@-]{1,256}$")]
MonitorArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:ce::\d{12}:anomalymonitor/[A-Za-z0-9-]+$")]

RetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]  # fmt: skip
"""The retention periods that CloudWatch Logs accepts."""


class AlertSettings(SettingsModel):
    """Who hears of an alarm."""

    emails: tuple[Email, ...] = ()
    """Addresses that every alarm, budget and anomaly alert is sent to; each confirms by a link that AWS sends."""
    runbooks: Annotated[str, StringConstraints(min_length=1)] = "docs/runbooks"
    """Where the runbooks are; an alarm's description names its page below it."""

    @field_validator("emails")
    @classmethod
    def _once(cls, emails: tuple[str, ...]) -> tuple[str, ...]:
        if repeated := sorted({one for one in emails if emails.count(one) > 1}):
            raise ValueError(f"{', '.join(repeated)} is given more than once: an address is subscribed once")
        return emails


class LogSettings(SettingsModel):
    """What is written down of requests, and how long it is kept."""

    retention_days: RetentionDays = 90
    """Retention of every log group that the platform owns, and of the access logs in the audit bucket."""
    method_metrics: bool = True
    """Whether REST APIs have metrics by method: five for each, paid for by the month as soon as it is called."""
    api_gateway_role_owned: bool = False
    """Whether this stack gives API Gateway the role it writes logs with, of which a region has one; one stack should."""


class DataSettings(SettingsModel):
    """How stored data is protected against people."""

    deletion_protection: bool = True
    """Tables refuse deletion, buckets with objects are never emptied, and Pulumi refuses to take away what holds data."""
    point_in_time_recovery: bool = True
    """Tables can be restored to any second of the last 35 days."""


class SpendSettings(SettingsModel):
    """What the platform may cost, and when somebody is told."""

    monthly_budget: Annotated[float, Field(gt=0, le=1_000_000)]
    """US dollars a month. The preview's estimate is held against it, and AWS Budgets against the bill."""
    anomaly_monitor_owned: bool = True
    """Whether this stack creates an anomaly monitor where none is named; an account allows few, so several stacks may
    share one."""
    anomaly_monitor_arn: MonitorArn | None = None
    """A monitor that is already there and tells this stack, which then creates none. Members of an organisation may
    create none by tag."""


class BackupSettings(SettingsModel):
    """Daily copies of every table."""

    retention_days: Annotated[int, Field(ge=1, le=3653)] = 35
    """How long a backup is kept."""
    outlives_stack: bool = True
    """Whether the vault stays with its copies when the stack is destroyed; if not, they are deleted with it."""
    region_settings_owned: bool = False
    """Whether this stack opts the account's region in to backing DynamoDB up; one stack of a region should."""


class Auth(StrEnum):
    """How a caller proves who he is."""

    OIDC = "oidc"
    NONE = "none"


class IdentitySettings(SettingsModel):
    """The OpenID Connect provider whose tokens the backends accept."""

    auth: Auth = Auth.OIDC
    """`none` trusts everybody: for local and dev only."""
    issuer: HttpUrl | None = None
    """The provider's issuer, as in its tokens' `iss`."""
    audience: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """What tokens must carry as `aud`."""
    jwks_url: HttpUrl | None = None
    """Where the provider publishes its keys; none is `.well-known/jwks.json` below the issuer."""

    @property
    def keys_url(self) -> str:
        """Where the provider's keys are: as told, or where most providers have them."""
        return str(self.jwks_url) if self.jwks_url else f"{str(self.issuer).rstrip('/')}/.well-known/jwks.json"

    @model_validator(mode="after")
    def _oidc_names_its_provider(self) -> "IdentitySettings":
        if self.auth is Auth.OIDC and (self.issuer is None or self.audience is None):
            raise ValueError("with auth oidc, issuer and audience must be given")
        return self


class NetworkSettings(BuiltNetwork):
    """The network that functions and jobs may be attached to; nothing of it is built unless one is."""

    vpc_id: VpcId | None = None
    """A network that is already there; none builds one when it is needed."""
    subnet_ids: tuple[SubnetId, ...] = ()
    """Its private subnets. Its endpoints, or its way out, are its owner's business."""
    cidr: Cidr = "10.64.0.0/16"

    @model_validator(mode="after")
    def _a_network_has_subnets(self) -> "NetworkSettings":
        if (self.vpc_id is None) != (not self.subnet_ids):
            raise ValueError("vpcId and subnetIds go together: give both, or neither to have a network built")
        return self


PolicyName = Annotated[str, StringConstraints(pattern=r"^([\w+=,.@-]+/)*[\w+=,.@-]{1,128}$", max_length=512)]
"""A managed policy of the account, with its path."""


class FoundationSettings(SettingsModel):
    """What all subsystems stand on."""

    owner: TagValue
    """The team that answers for the stack; the tag `Owner`."""
    cost_center: TagValue
    """Who pays; the tag `CostCenter`. Budget and anomaly monitor tell cost by it, so each stack has its own."""
    alerts: AlertSettings = AlertSettings()
    logs: LogSettings = LogSettings()
    data: DataSettings = DataSettings()
    spend: SpendSettings
    backup: BackupSettings = BackupSettings()
    identity: IdentitySettings
    network: NetworkSettings = NetworkSettings()
    permissions_boundary: PolicyName | None = None
    """The managed policy that bounds every role, as path and name; `bootstrap/roles.yaml` makes one. Without it CI's role
    may make none."""
