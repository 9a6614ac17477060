"""The form that botocore knows of a request of Converse."""

from typing import Any

import botocore.session
from botocore.validate import ParamValidator


def valid(asked: dict[str, Any]) -> bool:
    """Whether Converse takes it, once it has a model's name."""
    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    shape = service.operation_model("Converse").input_shape
    assert shape is not None
    return not ParamValidator().validate({"modelId": "a", **asked}, shape).has_errors()
