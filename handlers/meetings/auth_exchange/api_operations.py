"""Operations of the meetings REST API: only the token exchange.

Clients do everything else by calling AWS with the credentials that this operation returns.
"""

from handlers.common.http.rest_operation import RestOperation
from handlers.meetings.auth_exchange.api_models import ExchangeRequest, ExchangeResponse

OPERATIONS: tuple[RestOperation, ...] = (
    RestOperation(
        name="exchangeToken",
        method="POST",
        path="/exchange",
        summary="Exchange a token of the identity provider for AWS credentials to the caller's own meetings.",
        body=ExchangeRequest,
        answer=ExchangeResponse,
    ),
)
