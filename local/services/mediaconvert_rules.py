"""What the local MediaConvert makes of a job: rules of the service's that its model does not have, and what to cut.

It can do one thing: one input out of S3, one HLS group of one output with pictures in H.264, sound in AAC or both, in
segments of an exact length. What the service can do besides is refused, in words that say whose limit that is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.services.mediaconvert_model import BadRequest

AAC_BITRATES = frozenset(
    (6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 288, 320, 384, 448)
)
"""In thousands."""
MAX_TOKEN = 64
DEFAULT_SEGMENT_SECONDS = 10
"""MediaConvert's, where a job says nothing."""
CLIP_SECONDS = 12 * 3600
"""Clips are shorter: https://docs.aws.amazon.com/mediaconvert/latest/ug/setting-up-an-assembly-workflow-job.html"""
NOT_HERE = "the local MediaConvert cannot do this"


@dataclass(frozen=True)
class Video:
    """How pictures are made; none where they stay as they are."""

    width: int | None
    height: int | None
    max_bitrate: int | None


@dataclass(frozen=True)
class Audio:
    """How sound is made."""

    bitrate: int
    sample_rate: int
    channels: int


@dataclass(frozen=True)
class Cut:
    """What a job comes to."""

    input_bucket: str
    input_key: str
    output_bucket: str
    output_prefix: str
    """Of the keys, up to the files' own names."""
    base: str
    """What every file's name begins with."""
    modifier: str
    seconds: int
    video: Video | None
    audio: Audio | None
    end_seconds: int | None = None
    """Of the one clip, counted from the first frame; what ends before ends there."""

    @property
    def input_uri(self) -> str:
        """Where the input is."""
        return f"s3://{self.input_bucket}/{self.input_key}"

    def output_uri(self, name: str) -> str:
        """Where a file goes."""
        return f"s3://{self.output_bucket}/{self.output_prefix}{name}"


def cut(job: Mapping[str, Any]) -> Cut:
    """What a job that fits the model comes to; raises BadRequest."""
    token = job.get("ClientRequestToken", "")
    if len(token) > MAX_TOKEN or not token.isascii():
        raise BadRequest(f"/clientRequestToken: up to {MAX_TOKEN} ASCII characters")
    settings = job["Settings"]
    source = _only(settings.get("Inputs"), "/settings/inputs")
    group = _only(settings.get("OutputGroups"), "/settings/outputGroups")
    hls = _hls(group.get("OutputGroupSettings", {}), "/settings/outputGroups/0/outputGroupSettings")
    output = _only(group.get("Outputs"), "/settings/outputGroups/0/outputs")
    here = "/settings/outputGroups/0/outputs/0"
    if output.get("ContainerSettings", {}).get("Container") != "M3U8":
        raise BadRequest(f"{here}/containerSettings/container: an output of an HLS group is M3U8")
    video, audio = _video(output.get("VideoDescription"), here), _audio(output, source, here)
    if video is None and audio is None:
        raise BadRequest(f"{here}: an output has pictures or sound")
    bucket, key = _s3(source.get("FileInput", ""), "/settings/inputs/0/fileInput")
    if not key or key.endswith("/"):
        raise BadRequest("/settings/inputs/0/fileInput: names no object")
    to, path = _s3(
        hls.get("Destination", ""), "/settings/outputGroups/0/outputGroupSettings/hlsGroupSettings/destination"
    )
    folder, slash, base = path.rpartition("/")
    name = key.rpartition("/")[2]
    return Cut(
        input_bucket=bucket,
        input_key=key,
        output_bucket=to,
        output_prefix=folder + slash,
        base=base or name.rpartition(".")[0] or name,
        modifier=output.get("NameModifier", ""),
        seconds=hls.get("SegmentLength", DEFAULT_SEGMENT_SECONDS),
        video=video,
        audio=audio,
        end_seconds=_end(source),
    )


def _end(source: Mapping[str, Any]) -> int | None:
    here = "/settings/inputs/0/inputClippings"
    if not source.get("InputClippings"):
        return None
    clip = _only(source["InputClippings"], here)
    if not clip:
        raise BadRequest(f"{here}/0: startTimecode or endTimecode must be given")
    if source.get("TimecodeSource", "EMBEDDED") != "ZEROBASED":
        raise BadRequest(f"{here}: {NOT_HERE}: it counts from zero only")
    if "StartTimecode" in clip:
        raise BadRequest(f"{here}/0/startTimecode: {NOT_HERE}: its clips begin with the input")
    hours, minutes, seconds, frame = (
        int(one) for one in clip["EndTimecode"].replace(";", ":").partition("@")[0].split(":")
    )
    if frame:
        raise BadRequest(f"{here}/0/endTimecode: {NOT_HERE}: its clips end with a whole second")
    end = hours * 3600 + minutes * 60 + seconds
    if end >= CLIP_SECONDS:
        raise BadRequest(f"{here}/0/endTimecode: a clip is shorter than {CLIP_SECONDS // 3600} hours")
    return end


def _only(found: Any, path: str) -> dict[str, Any]:
    if not found:
        raise BadRequest(f"{path}: at least one is required")
    if len(found) > 1:
        raise BadRequest(f"{path}: {NOT_HERE}: one is all it takes")
    one: dict[str, Any] = found[0]
    return one


def _hls(settings: Mapping[str, Any], path: str) -> dict[str, Any]:
    kind = settings.get("Type", "")
    if kind == "FILE_GROUP_SETTINGS":
        raise BadRequest(f"{path}/type: {NOT_HERE}, and a file group has no segments")
    if kind != "HLS_GROUP_SETTINGS":
        raise BadRequest(f"{path}/type: {NOT_HERE}: it knows HLS groups only")
    hls: dict[str, Any] | None = settings.get("HlsGroupSettings")
    if hls is None:
        raise BadRequest(f"{path}/hlsGroupSettings: is a required property")
    for name, needed in (("SegmentControl", "SEGMENTED_FILES"), ("SegmentLengthControl", "EXACT")):
        if hls.get(name) != needed:
            raise BadRequest(f"{path}/hlsGroupSettings/{name[0].lower()}{name[1:]}: {NOT_HERE}: it takes {needed} only")
    if hls.get("MinFinalSegmentLength", 0) or hls.get("DirectoryStructure", "SINGLE_DIRECTORY") != "SINGLE_DIRECTORY":
        raise BadRequest(f"{path}/hlsGroupSettings: {NOT_HERE}: short segments stay, and in one folder")
    return hls


def _video(description: Mapping[str, Any] | None, path: str) -> Video | None:
    if description is None:
        return None
    here = f"{path}/videoDescription/codecSettings"
    codec = description.get("CodecSettings", {})
    if codec.get("Codec") != "H_264":
        raise BadRequest(f"{here}/codec: {NOT_HERE}: it knows H_264 only")
    h264 = codec.get("H264Settings", {})
    if h264.get("RateControlMode") == "QVBR" and "MaxBitrate" not in h264:
        raise BadRequest(f"{here}/h264Settings/maxBitrate: is required with QVBR")
    if h264.get("GopSizeUnits", "AUTO") == "AUTO" and h264.get("GopSize"):
        raise BadRequest(f"{here}/h264Settings/gopSize: must be left out with AUTO")
    for name in ("Width", "Height"):
        if description.get(name, 0) % 2:
            raise BadRequest(f"{path}/videoDescription/{name.lower()}: must be even")
    return Video(description.get("Width"), description.get("Height"), h264.get("MaxBitrate"))


def _audio(output: Mapping[str, Any], source: Mapping[str, Any], path: str) -> Audio | None:
    descriptions = output.get("AudioDescriptions")
    if not descriptions:
        return None
    one = _only(descriptions, f"{path}/audioDescriptions")
    here = f"{path}/audioDescriptions/0"
    name = one.get("AudioSourceName", "Audio Selector 1")
    if name not in source.get("AudioSelectors", {}):
        raise BadRequest(f"{here}/audioSourceName: the input has no such audio selector")
    aac = one.get("CodecSettings", {}).get("AacSettings", {})
    if one.get("CodecSettings", {}).get("Codec") != "AAC":
        raise BadRequest(f"{here}/codecSettings/codec: {NOT_HERE}: it knows AAC only")
    bitrate, rate = aac.get("Bitrate", 96_000), aac.get("SampleRate", 48_000)
    if bitrate % 1000 or bitrate // 1000 not in AAC_BITRATES:
        raise BadRequest(f"{here}/codecSettings/aacSettings/bitrate: is not one of AAC's")
    return Audio(bitrate, rate, 1 if aac.get("CodingMode") == "CODING_MODE_1_0" else 2)


def _s3(uri: str, path: str) -> tuple[str, str]:
    bucket, slash, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not slash:
        raise BadRequest(f"{path}: must be s3://BUCKET/KEY here")
    return bucket, key
