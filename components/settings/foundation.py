"""Settings of the foundation, which all subsystems share: alerts, logs, data protection, budget, backup, identity
provider and network.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, HttpUrl, StringConstraints, field_validator, model_validator

from components.settings.networks import BuiltNetwork, Cidr, SubnetId, VpcId
from components.settings.settings_base import UNIT, Environment, SettingsModel

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
"""Retention periods that CloudWatch Logs accepts."""


class AlertSettings(SettingsModel):
    """Settings of alerts: recipients, and the location of the runbooks."""

    emails: tuple[Email, ...] = ()
    """E-mail addresses that receive every alarm, budget alert and anomaly alert. Each must confirm a link that AWS
    sends."""
    runbooks: Annotated[str, StringConstraints(min_length=1)] = "docs/runbooks"
    """Location of the runbooks. The description of an alarm names its page below this path."""

    @field_validator("emails")
    @classmethod
    def _refuse_duplicates(cls, emails: tuple[str, ...]) -> tuple[str, ...]:
        if repeated := sorted({email for email in emails if emails.count(email) > 1}):
            raise ValueError(f"{', '.join(repeated)} occurs more than once: list each address once")
        return emails


class LogSettings(SettingsModel):
    """Settings of logs and of metrics of REST APIs."""

    retention_days: RetentionDays = 90
    """Retention of every log group of the stack, and of the access logs in the bucket that receives them."""
    method_metrics: bool = True
    """Record metrics of each method of the REST APIs. Each method that is called has five metrics, which are billed
    monthly."""
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

    monthly_budget: Annotated[float, Field(gt=0, le=1_000_000, json_schema_extra={UNIT: "US dollars"})]
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
    """Callers send a token of the OpenID Connect provider."""
    NONE = "none"
    """Every caller is accepted."""


class IdentitySettings(SettingsModel):
    """OpenID Connect provider whose tokens the backends accept."""

    auth: Auth = Auth.OIDC
    """Authentication of callers. `none` is allowed in local and dev only."""
    issuer: HttpUrl | None = None
    """Issuer of the provider: the claim `iss` of its tokens."""
    audience: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """Required claim `aud` of the tokens."""
    jwks_url: HttpUrl | None = None
    """URL of the provider's keys. The default is `.well-known/jwks.json` below the issuer."""

    @property
    def keys_url(self) -> str:
        """URL of the provider's keys: `jwksUrl`, or the usual path below the issuer."""
        return str(self.jwks_url) if self.jwks_url else f"{str(self.issuer).rstrip('/')}/.well-known/jwks.json"

    def token_variables(self, environment: Environment) -> dict[str, str | None]:
        """Return the variables of a function that verifies tokens of the provider.

        On the local platform, the issuer's host does not exist. So unless `jwksUrl` is set, the variable `JWKS_URL` is
        left out there, and the emulator sets it to the URL of the local identity provider's keys.
        """
        emulated = environment is Environment.LOCAL and self.jwks_url is None
        return {
            "issuer": str(self.issuer),
            "audience": self.audience,
            "jwks_url": None if emulated else self.keys_url,
        }

    @model_validator(mode="after")
    def _check_provider(self) -> "IdentitySettings":
        if self.auth is Auth.OIDC and (self.issuer is None or self.audience is None):
            raise ValueError("with auth oidc, issuer and audience are required")
        return self


class NetworkSettings(BuiltNetwork):
    """Network that functions and jobs may be attached to: an existing network, or a network that the program builds."""

    vpc_id: VpcId | None = None
    """Existing network to use. Without it, the program builds a network if a function or a job is attached."""
    subnet_ids: tuple[SubnetId, ...] = ()
    """Private subnets of the existing network. Its owner must provide the endpoints, or a route to the internet."""
    cidr: Cidr = "10.64.0.0/16"
    """CIDR block of the network, if the program builds one: a /16 block. Each zone's subnet is a /24 block of it."""

    @model_validator(mode="after")
    def _check_existing_network(self) -> "NetworkSettings":
        if (self.vpc_id is None) != (not self.subnet_ids):
            raise ValueError("vpcId and subnetIds belong together: give both, or neither to build a network")
        return self


PolicyName = Annotated[str, StringConstraints(pattern=r"^([\w+=,.@-]+/)*[\w+=,.@-]{1,128}$", max_length=512)]
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
    permissions_boundary: PolicyName | None = None
    """Permissions boundary of every role, as path and name of a managed policy. `bootstrap/roles.yaml` creates one. CI
    may create roles only with it."""
