"""The emulator's account, to services that run in its process: who may do what, whom a role trusts, who is told."""

from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region

from local.patches.bus import emit
from local.patches.service_roles import ServiceRoles
from local.patches.trust import trusts


class Account:
    """The emulator's account, to one service in it."""

    def __init__(self, roles: ServiceRoles, service: str, source: str) -> None:
        """`source` is what the service works for, without its account: what it says of itself to a role's trust policy."""
        self._roles = roles
        self._service = service
        self.account = get_account_id()
        self.region = get_region()
        self._source = f"arn:aws:{service.partition('.')[0]}:{self.region}:{self.account}:{source}"

    def denied(self, access_key: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether a caller may not do something: judged from his role's own policies; the account's owner may."""
        return self._roles.denied(access_key, action, resource, context)

    def assumable(self, role_arn: str) -> bool:
        """Whether there is such a role, and it trusts the service."""
        keys = {"aws:SourceAccount": self.account, "aws:SourceArn": self._source}
        return trusts(role_arn, self._service, keys)

    def emit(self, source: str, detail_type: str, detail: Mapping[str, Any], resource: str) -> None:
        """Puts an event on the default bus."""
        emit(self.region, source, detail_type, detail, [resource] if resource else [])
