"""Component of the foundation, the resources that all subsystems share.

The foundation is created first. It gives each subsystem a scope. From the scope, the subsystem's components take their
names, tags, settings and shared resources.
"""

from collections.abc import Mapping

import pulumi

from components.blocks.naming.context import Context, Subsystem
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.foundation.access_log_bucket import AUDIT_BUCKET, AuditBucket
from components.foundation.alerts import Alerts
from components.foundation.api_log_role import ApiLogRole
from components.foundation.backup import Backup
from components.foundation.cost_alerts import CostAlerts
from components.foundation.lambda_layer import HandlersLayer
from components.foundation.network import Network, NetworkArgs
from components.settings import FoundationSettings, LogLevel


class Foundation(pulumi.ComponentResource):
    """Resources that all subsystems share: alerts, bucket for access logs (audit bucket), role for API logs, network,
    cost alerts, backup, Lambda layer.
    """

    def __init__(
        self,
        context: Context,
        settings: FoundationSettings,
        endpoint_services: Mapping[str, str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the foundation.

        `endpoint_services` are the AWS services that need an endpoint in the network of functions and jobs. A key is
        the service's name in its endpoint (`glue`), and the value is the reason. The network is created only if there
        are such services.
        """
        super().__init__("polyphony:foundation:Foundation", "foundation", None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self._context = context
        self._settings = settings
        self.alerts = Alerts(context, settings.alerts, child)
        self.layer = HandlersLayer(context, child)
        own_scope = self.scope(Subsystem.FOUNDATION, LogLevel.INFO)
        self.audit_bucket = AuditBucket(own_scope, child)
        self.api_log_role = ApiLogRole(own_scope, child) if settings.logs.api_gateway_role_owned else None
        self.network = (
            Network("foundation-network", NetworkArgs(own_scope, settings.network, endpoint_services), child)
            if endpoint_services
            else None
        )
        CostAlerts(own_scope, child)
        Backup(own_scope, child)
        self.register_outputs({"alertsTopicArn": self.alerts.topic_arn})

    def scope(self, subsystem: Subsystem, log_level: LogLevel) -> Scope:
        prerequisites: list[pulumi.Resource] = [self.alerts.policy]
        if subsystem is not Subsystem.FOUNDATION:
            prerequisites.append(self.audit_bucket.bucket.policy)
            if self.api_log_role is not None:
                # API Gateway refuses a stage with logs while the region has no role for them.
                prerequisites.append(self.api_log_role.account)
        return Scope(
            context=self._context,
            subsystem=subsystem,
            foundation=self._settings,
            log_level=log_level,
            alerts_topic=self.alerts.topic_arn,
            access_log_bucket=self._context.name(Kind.BUCKET, Subsystem.FOUNDATION, AUDIT_BUCKET),
            layers=[self.layer.arn],
            prerequisites=prerequisites,
        )
