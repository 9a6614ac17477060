"""Messages to connected clients, through API Gateway's management API.

The client finds its endpoint by `AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI`, which the deployment sets from the API's
own address: never from anything in an event.
"""

from typing import Any

from handlers.common.websocket.messages import Message


class Connections:
    """Connected clients."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def post(self, connection_id: str, message: Message) -> bool:
        """Sends a message; false where nobody is there any more."""
        try:
            self._client.post_to_connection(
                ConnectionId=connection_id, Data=message.model_dump_json(by_alias=True, exclude_none=True).encode()
            )
        except self._client.exceptions.GoneException:
            return False
        return True
