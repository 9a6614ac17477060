"""Local Amazon Bedrock: the operation Converse, answered by fixed rules in place of a language model.

The handlers call it over HTTP in place of Bedrock. Our prompts contain data, for example a part of a transcript, as JSON
lines. From these lines, `scripted_answers` computes the answer. The instructions in a prompt are ignored.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from local.emulation.aws_service_server import AwsError, Permissions, SignedRequest, require_permission, serve_signed
from local.emulation.bedrock.scripted_answers import parse_broadcast, parse_meeting
from local.emulation.faults import Fault, Faults
from local.emulation.request_validation import validate_request
from local.http_server import HttpResponse

CHARACTERS_PER_TOKEN = 4
"""Assumed length of a token. The service has no tokenizer."""
PROFILES = {"us": ("us-east-1", "us-east-2", "us-west-2")}
"""Regions of an inference profile by the prefix of its id, for calls from a region of the United States. Profiles of
other areas are not supported."""
_PATH: Final = re.compile(r"/model/(?P<model>.+)/converse")


@dataclass(frozen=True)
class ModelPermissions:
    """Permission check of the local Bedrock in one region and account.

    To call a model, the caller needs `bedrock:InvokeModel` on the model. To call an inference profile, the caller needs
    this permission on the profile, and on the model in each region of the profile. In the checks of the models, the
    condition key `bedrock:InferenceProfileArn` contains the profile's ARN.
    https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
    """

    region: str
    account: str
    permissions: Permissions

    def check(self, access_key: str, model: str) -> None:
        """Raise AwsError with the code AccessDeniedException unless the caller may call the model."""
        for resource, context in self.resources(model):
            require_permission(self.permissions, access_key, "bedrock:InvokeModel", resource, context)

    def resources(self, model: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield each resource that the caller must be allowed to invoke, with the condition keys of that check.

        `model` is the id or ARN of a model, or of an inference profile whose id begins with `us.` or `global.`.
        """
        name = model.rpartition("/")[2]
        area, _, model_name = name.partition(".")
        # For a global profile, the caller needs the permission on the model's ARN in the region of the call, and on its
        # ARN without a region.
        regions = (self.region, "") if area == "global" else PROFILES.get(area)
        if regions is None:
            yield _model_arn(self.region, name), {}
            return
        profile = f"arn:aws:bedrock:{self.region}:{self.account}:inference-profile/{name}"
        yield profile, {}
        for region in regions:
            yield _model_arn(region, model_name), {"bedrock:InferenceProfileArn": profile}


def _model_arn(region: str, model: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model}"


def serve(permissions: ModelPermissions | None = None, faults: Faults | None = None) -> AbstractContextManager[int]:
    """Serve while the `with` block runs, and yield the port. Without `permissions`, every caller may use every model."""
    fault_source = faults or Faults()

    def respond(signed: SignedRequest) -> HttpResponse:
        path = _PATH.fullmatch(signed.http.path)
        if path is None:
            message = "The local Bedrock supports only Converse."
            raise AwsError("UnknownOperationException", message, HTTPStatus.NOT_FOUND)
        try:
            content = {"modelId": path["model"], **json.loads(signed.http.body)}
            request = validate_request("bedrock-runtime", "Converse", content)
        except (ValueError, TypeError) as error:
            raise AwsError("ValidationException", str(error)) from None
        if permissions is not None:
            permissions.check(signed.access_key, path["model"])
        if fault_source.take(Fault.MODEL_THROTTLED):
            raise AwsError("ThrottlingException", "Too many requests", HTTPStatus.TOO_MANY_REQUESTS)
        # A model that repeats itself reaches its token limit, so its answer is cut off.
        return HttpResponse(_answer(request, is_cut_off=fault_source.take(Fault.MODEL_REPEATING)))

    return serve_signed(respond)


def read_json_lines(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the JSON objects that are lines of the request's last message."""
    values: list[Mapping[str, Any]] = []
    for block in request["messages"][-1]["content"]:
        for line in str(block.get("text", "")).split("\n"):
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                values.append(value)
    return values


def _answer(request: Mapping[str, Any], *, is_cut_off: bool) -> dict[str, Any]:
    lines = read_json_lines(request)
    # The handlers send prompts about meetings and broadcasts. Any other prompt is answered as an empty broadcast.
    prompt = parse_meeting(lines) or parse_broadcast(lines)
    text = json.dumps(prompt.answer())
    max_characters = len(text)
    if "maxTokens" in (limits := request.get("inferenceConfig", {})):
        max_characters = limits["maxTokens"] * CHARACTERS_PER_TOKEN
    if is_cut_off:
        max_characters = len(text) // 2
    answer = text[:max_characters]
    sent, received = (math.ceil(len(part) / CHARACTERS_PER_TOKEN) for part in (json.dumps(request), answer))
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": answer}]}},
        "stopReason": "end_turn" if answer == text else "max_tokens",
        "usage": {"inputTokens": sent, "outputTokens": received, "totalTokens": sent + received},
        "metrics": {"latencyMs": 1},
    }
