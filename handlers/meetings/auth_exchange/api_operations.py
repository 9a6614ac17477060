"""Meetings' REST API: what it offers. Pure.

One thing: everything else clients do with the credentials that they get here, and with AWS itself.
"""

from handlers.common.http.rest_operations import Operation
from handlers.meetings.auth_exchange.api_models import ExchangeRequest, ExchangeResponse

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="exchangeToken",
        method="POST",
        path="/exchange",
        summary="Exchanges a token of the identity provider for credentials to the caller's own meetings.",
        body=ExchangeRequest,
        answer=ExchangeResponse,
    ),
)
