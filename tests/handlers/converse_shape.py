"""Validation of requests for the Bedrock operation Converse with botocore's service model."""

from typing import Any

import botocore.session
from botocore.validate import ParamValidator


def is_valid_converse_request(request: dict[str, Any]) -> bool:
    """Return True if a request without model id is valid for Converse."""
    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    shape = service.operation_model("Converse").input_shape
    assert shape is not None
    return not ParamValidator().validate({"modelId": "a", **request}, shape).has_errors()
