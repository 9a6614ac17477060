"""What the local Transcribe takes for a batch job: botocore's model of the service, and the rules that no model has. Pure.

https://docs.aws.amazon.com/transcribe/latest/APIReference/API_StartTranscriptionJob.html. What the service can do
besides one language with or without speakers is refused, in words that say whose limit that is.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import botocore.session

MAX_BYTES = 2 * 1024**3
MAX_SECONDS = 4 * 3600.0
MIN_SECONDS = 0.5
CHECK_FILE = ".write_access_check_file.temp"
"""Transcribe writes it beside the output, to see whether it may: the caller must be allowed to, and it stays."""
NOT_HERE = "the local Transcribe cannot do this"
_PLAYED = {
    *("TranscriptionJobName", "LanguageCode", "MediaSampleRateHertz", "MediaFormat", "Media", "OutputBucketName"),
    *("OutputKey", "Settings", "JobExecutionSettings", "Tags"),
}
_SETTINGS = {"ShowSpeakerLabels", "MaxSpeakerLabels", "ChannelIdentification"}
_VIRTUAL_HOST = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]+)\.s3[.-][a-z0-9.-]*amazonaws\.com")


class BadRequest(Exception):
    """What Transcribe answers with BadRequestException."""


@dataclass(frozen=True)
class Place:
    """An object in a bucket."""

    bucket: str
    key: str


@dataclass(frozen=True)
class Wanted:
    """What a request comes to."""

    name: str
    language: str
    media: Place
    media_uri: str
    format: str | None
    sample_rate: int | None
    output: Place
    speakers: int
    """How many are told apart at most; none where nobody asks who speaks."""
    role: str | None
    """Whose rights it uses, where not the caller's."""
    deferred: bool
    """Whether it may wait for its turn."""
    settings: Mapping[str, Any]

    @property
    def check_file(self) -> Place:
        """What is written to see whether the output may be."""
        folder, slash, _ = self.output.key.rpartition("/")
        return Place(self.output.bucket, f"{folder}{slash}{CHECK_FILE}")


def read(operation: str, given: object) -> dict[str, Any]:
    """A request by the service's model; raises BadRequest."""
    if not isinstance(given, dict):
        raise BadRequest("The request is no object.")
    for problem in _breaches(given, model().operation_model(operation).input_shape, ""):
        raise BadRequest(f"1 validation error detected: {problem}")
    return given


@cache
def model() -> Any:
    """Read once, and only when somebody asks."""
    return botocore.session.Session().get_service_model("transcribe")


def wanted(request: Mapping[str, Any]) -> Wanted:
    """What a request that fits the model comes to; raises BadRequest."""
    if more := sorted(request.keys() - _PLAYED):
        raise BadRequest(f"{', '.join(more)}: {NOT_HERE}")
    settings, execution = request.get("Settings") or {}, request.get("JobExecutionSettings") or {}
    if more := sorted(settings.keys() - _SETTINGS):
        raise BadRequest(f"Settings.{', '.join(more)}: {NOT_HERE}")
    name = request["TranscriptionJobName"]
    if name in {".", ".."}:
        raise BadRequest("A job cannot have this name.")
    if "LanguageCode" not in request:
        raise BadRequest("You must include one of LanguageCode, IdentifyLanguage and IdentifyMultipleLanguages.")
    if bool(settings.get("ShowSpeakerLabels")) != ("MaxSpeakerLabels" in settings):
        raise BadRequest("ShowSpeakerLabels and MaxSpeakerLabels go together: you must specify both, or neither.")
    if settings.get("ChannelIdentification"):
        raise BadRequest(f"Settings.ChannelIdentification: {NOT_HERE}")
    if "OutputBucketName" not in request:
        raise BadRequest(f"Without OutputBucketName, {NOT_HERE}: the service has a bucket of its own")
    if execution.get("AllowDeferredExecution") and not execution.get("DataAccessRoleArn"):
        raise BadRequest("If you allow deferred execution, you must include DataAccessRoleArn.")
    uri = (request["Media"] or {}).get("MediaFileUri") or ""
    return Wanted(
        name=name,
        language=request["LanguageCode"],
        media=_place(uri),
        media_uri=uri,
        format=request.get("MediaFormat"),
        sample_rate=request.get("MediaSampleRateHertz"),
        output=Place(request["OutputBucketName"], _output_key(request.get("OutputKey"), name)),
        speakers=int(settings.get("MaxSpeakerLabels", 0)),
        role=execution.get("DataAccessRoleArn"),
        deferred=bool(execution.get("AllowDeferredExecution")),
        settings=settings,
    )


def _output_key(given: str | None, name: str) -> str:
    if not given:
        return f"{name}.json"
    return f"{given}{name}.json" if given.endswith("/") else given


def _place(uri: str) -> Place:
    parts = urlsplit(uri)
    host = _VIRTUAL_HOST.fullmatch(parts.hostname or "")
    path = parts.path.lstrip("/")
    match parts.scheme:
        case "s3":
            bucket, key = parts.netloc, path
        case "https" if host:
            bucket, key = host["bucket"], path
        case "https" if (parts.hostname or "").startswith("s3"):
            bucket, _, key = path.partition("/")
        case _:
            bucket = key = ""
    if not bucket or not key:
        raise BadRequest("The URI that you provided doesn't point to an S3 object.")
    return Place(bucket, key)


def _breaches(value: Any, shape: Any, path: str) -> Iterator[str]:
    """Everything that does not fit the model."""
    match shape.type_name, value:
        case "structure", dict():
            yield from (f"{path}{name} is required" for name in shape.required_members if value.get(name) is None)
            for name, inner in value.items():
                if name not in shape.members:
                    yield f"{path}{name} is not known"
                elif inner is not None:
                    yield from _breaches(inner, shape.members[name], f"{path}{name}.")
        case "list", list():
            for one in value:
                yield from _breaches(one, shape.member, path)
        case "map", dict():
            pass
        case "string", str():
            yield from _string(value, shape, path.rstrip("."))
        case "integer" | "long", int() if not isinstance(value, bool):
            low, high = shape.metadata.get("min", value), shape.metadata.get("max", value)
            if not low <= value <= high:
                yield f"{path.rstrip('.')} must be from {low} to {high}"
        case "boolean", bool():
            pass
        case kind, _:
            yield f"{path.rstrip('.') or 'the request'} must be of type {kind}"


def _string(value: str, shape: Any, path: str) -> Iterator[str]:
    enum, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
    if enum and value not in enum:
        yield f"{path} is none of {', '.join(enum)}"
    if not shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", len(value)):
        yield f"{path} has the wrong length"
    if pattern and not re.fullmatch(pattern.removeprefix("^").removesuffix("$"), value):
        yield f"{path} must match {pattern}"
