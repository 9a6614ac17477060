"""Corrects resources, condition keys and wildcards in the evaluations of the emulator's IAM.

- The emulator does not evaluate requests to AgentCore memory at all. It evaluates requests that end a Batch job with
  the resource `*` instead of the job's ARN. Here, both are evaluated with the ARN of the memory or job.
- For uploads to S3, the emulator leaves out the condition key that contains the KMS key of the request. With this
  condition key, a policy can require that objects are encrypted with a certain KMS key.
  https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
- The condition key `aws:SecureTransport` is true here for all requests, although they are plain HTTP. The policies of
  all our buckets and queues deny plain HTTP by this key, so they would deny every request on this machine. Tests check
  the text of the policies instead.
- In the emulator, the wildcards `*` and `?` of policies match any character except a line break. So each request about
  an S3 key with a line break would be refused. Unlike IAM's patterns, the emulator's patterns also match a text with an
  additional line break at its end.
  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

import contextvars
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator

from local import LOOPBACK
from local.emulation import get_private, wrap_function
from local.emulation.iam.access_request_corrections import find_job_resource, find_memory_resource
from local.emulation.iam.policy_conditions import MAX_CACHED_PATTERNS, compile_pattern

AGENTCORE = "bedrock-agentcore"
KMS_KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"


def install() -> None:
    get_private(iam_actions, "_BOTOCORE_SERVICE_MAP")[AGENTCORE] = [AGENTCORE, f"{AGENTCORE}-control"]
    wrap_function(iam_actions, "extract_resource_arn", _extract_resource)
    wrap_function(iam_actions, "_s3_object_context", _add_kms_key)
    get_private(iam_evaluator, "_fnmatch_compile")  # fails if the name is missing
    iam_evaluator._fnmatch_compile = _compile  # noqa: SLF001
    get_private(iam_evaluator, "_request_origin")  # fails if the name is missing
    # A request's origin is the caller's IP address and the value of `aws:SecureTransport`.
    origin = contextvars.ContextVar("request_origin", default=(LOOPBACK, True))
    iam_evaluator._request_origin = origin  # noqa: SLF001
    wrap_function(app, "pin_request_origin", lambda pin, source_ip, _secure_transport: pin(source_ip, True))


def _extract_resource(
    original: Any, service: str, method: str, path: str, headers: Any, body: bytes, *arguments: Any
) -> str:
    region, account = arguments[-2:]
    resource: str | None = None
    if service == AGENTCORE:
        resource = find_memory_resource(path, region, account)
    elif service == "batch":
        resource = find_job_resource(path, json.loads(body or b"{}"), region, account)
    return resource or original(service, method, path, headers, body, *arguments)


def _add_kms_key(
    original: Any, action: str, query: Mapping[str, Any], path: str, headers: Mapping[str, str]
) -> dict[str, Any]:
    keys: dict[str, Any] = original(action, query, path, headers)
    kms_key = headers.get(KMS_KEY_HEADER)
    return {**keys, f"s3:{KMS_KEY_HEADER}": kms_key} if kms_key and action == "s3:PutObject" else keys


@lru_cache(MAX_CACHED_PATTERNS)
def _compile(pattern: str, ignore_case: bool) -> "re.Pattern[str]":
    """Return a regular expression whose method `match` matches only whole texts. The emulator uses this method."""
    compiled = compile_pattern(pattern)
    return re.compile(rf"{compiled.pattern}\Z", compiled.flags | (re.IGNORECASE if ignore_case else 0))
