"""Sender of messages to connected WebSocket clients, through API Gateway's management API.

The boto3 client takes its endpoint from the variable `AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI`, which the deployment
sets. The endpoint is not taken from the events that a Lambda function receives.
"""

from typing import Any

from handlers.common.json_models import Message


class WebSocketConnections:
    """The WebSocket connections of the clients of one API."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def post(self, connection_id: str, message: Message) -> bool:
        """Send a message. Return False if the connection is closed."""
        try:
            self._client.post_to_connection(
                ConnectionId=connection_id, Data=message.model_dump_json(by_alias=True, exclude_none=True).encode()
            )
        except self._client.exceptions.GoneException:
            return False
        return True
