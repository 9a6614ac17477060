"""Definition of the only operation of the meetings REST API. `handler.py` binds it to the method that implements it.

Clients do everything else by calling S3 and DynamoDB with the credentials that `exchangeToken` returns.
"""

from handlers.common.rest import RestOperation
from handlers.meetings.auth_exchange.api_models import ExchangeRequest, ExchangeResponse

EXCHANGE_TOKEN = RestOperation(
    name="exchangeToken",
    method="POST",
    path="/exchange",
    summary="Exchange a token of the identity provider for AWS credentials to the caller's own meetings.",
    body=ExchangeRequest,
    answer=ExchangeResponse,
)
OPERATIONS = (EXCHANGE_TOKEN,)
