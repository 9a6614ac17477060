"""Response of a Lambda function to API Gateway, as tests read it."""

import json
from typing import Any


class RestResponse:
    """Status, headers and JSON body of a response."""

    def __init__(self, response: dict[str, Any]) -> None:
        self.status: int = response["statusCode"]
        self.headers: dict[str, str] = response["headers"]
        self.text: str = response["body"]

    @property
    def body(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.text)
        return content
