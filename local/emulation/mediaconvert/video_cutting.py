"""Cuts a video with ffmpeg into HLS segments of an exact length, and makes their playlist.

`mediaconvert_service.py` uploads both. Any user could have uploaded the video. In some formats, for example playlists, a
file can name other files of this machine, which ffmpeg would read. So ffmpeg opens only formats that contain the video.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.ffmpeg import UnreadableMedia, run_ffmpeg

VIDEO_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,flv,avi"
"""ffmpeg's names of the formats that may be opened."""
VIDEO_STREAM, AUDIO_STREAM = "0:V:0", "0:a:0?"
"""ffmpeg's names of the first video and audio stream. `V` excludes album covers, and `?` allows a video without sound.
"""
SEGMENT_FILE_PREFIX = "segment_"
"""Prefix of the segments' file names on disk. These names do not contain the job's `segment_name`, because it
could contain `/`, or `%`, which ffmpeg would interpret."""
_URI = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>.*)", re.DOTALL)
_LENGTH = re.compile(r"^#EXTINF:([0-9.]+)", re.MULTILINE)


@dataclass(frozen=True)
class VideoCut:
    """Parameters of a MediaConvert job."""

    input_bucket: str
    input_key: str
    output_bucket: str
    output_prefix: str
    """Prefix of the keys of all output files."""
    name: str
    """Name of the main playlist without `.m3u8`. The main playlist names the playlist of the segments."""
    segment_name: str
    """Name of the playlist of the segments without `.m3u8`, and beginning of the segments' names."""
    seconds: int
    """Length of a segment in seconds."""
    video: Mapping[str, Any]
    """The job's `VideoDescription`."""
    audio: Mapping[str, Any]
    """The job's `AacSettings`."""

    @property
    def input_uri(self) -> str:
        return f"s3://{self.input_bucket}/{self.input_key}"

    def output_uri(self, name: str) -> str:
        return f"s3://{self.output_bucket}/{self.output_prefix}{name}"

    @property
    def max_bitrate(self) -> int:
        """Maximum bit rate of the video stream, in bits per second."""
        return int(self.video["CodecSettings"]["H264Settings"]["MaxBitrate"])


def parse_job(request: Mapping[str, Any]) -> VideoCut:
    """Return the parameters of a job. Raise ValueError or LookupError if the job is not supported.

    A supported job has one input and one HLS output group with one output: H.264 video and AAC audio in segments of an
    exact length.
    """
    [source], [group] = request["Settings"]["Inputs"], request["Settings"]["OutputGroups"]
    [output], hls = group["Outputs"], group["OutputGroupSettings"]["HlsGroupSettings"]
    [audio] = output["AudioDescriptions"]
    if hls["SegmentControl"] != "SEGMENTED_FILES" or hls["SegmentLengthControl"] != "EXACT":
        raise ValueError("SegmentControl must be SEGMENTED_FILES and SegmentLengthControl must be EXACT")
    uris = (_URI.fullmatch(source["FileInput"]), _URI.fullmatch(hls["Destination"]))
    if None in uris:
        raise ValueError("the input and the destination must be s3://bucket/key")
    source_uri, output_uri = (uri.groupdict() for uri in uris if uri)
    prefix, slash, name = output_uri["key"].rpartition("/")
    name = name or Path(source_uri["key"]).stem  # MediaConvert's default for a destination that ends in a slash
    return VideoCut(
        input_bucket=source_uri["bucket"],
        input_key=source_uri["key"],
        output_bucket=output_uri["bucket"],
        output_prefix=prefix + slash,
        name=name,
        segment_name=name + output["NameModifier"],
        seconds=hls["SegmentLength"],
        video=output["VideoDescription"],
        audio=audio["CodecSettings"]["AacSettings"],
    )


@dataclass(frozen=True)
class VideoSegments:
    """Segments of a video on disk, and their playlist."""

    playlist: str
    files: Mapping[str, Path]
    """Paths of the segments by their names in the playlist."""
    duration_ms: int


def cut_video(source: Path, folder: Path, cut: VideoCut) -> VideoSegments:
    """Cut a video into segments in an empty folder. Raise UnreadableMedia if the file is no video.

    One thread, `ultrafast` and the low quality `-crf 30` save computing time. A key frame is forced at each multiple of
    the length, because ffmpeg can start a segment only at a key frame.
    """
    playlist = folder / "playlist.m3u8"
    scale = (
        f"scale=w='min({cut.video['Width']},iw)':h='min({cut.video['Height']},ih)'"
        ":force_original_aspect_ratio=decrease:force_divisible_by=2"
    )
    run_ffmpeg(
        *("-threads", "1", "-protocol_whitelist", "file", "-format_whitelist", VIDEO_CONTAINERS, "-i", str(source)),
        *("-map", VIDEO_STREAM, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", "-pix_fmt", "yuv420p"),
        *("-maxrate", str(cut.max_bitrate), "-bufsize", str(2 * cut.max_bitrate), "-threads:v", "1"),
        *("-filter:v", scale, "-force_key_frames", f"expr:gte(t,n_forced*{cut.seconds})", "-sc_threshold", "0"),
        *("-map", AUDIO_STREAM, "-c:a", "aac", "-b:a", str(cut.audio["Bitrate"]), "-ar", str(cut.audio["SampleRate"])),
        *("-ac", "2", "-f", "hls", "-hls_time", str(cut.seconds), "-hls_list_size", "0", "-hls_playlist_type", "vod"),
        *("-start_number", "1", "-hls_segment_filename", str(folder / f"{SEGMENT_FILE_PREFIX}%05d.ts"), str(playlist)),
    )
    if not playlist.exists():  # ffmpeg may succeed without any output
        raise UnreadableMedia
    text = playlist.read_text(encoding="utf-8")
    return VideoSegments(
        re.sub(rf"^{SEGMENT_FILE_PREFIX}", f"{cut.segment_name}_", text, flags=re.MULTILINE),
        {
            f"{cut.segment_name}_{file.name.removeprefix(SEGMENT_FILE_PREFIX)}": file
            for file in sorted(folder.glob(f"{SEGMENT_FILE_PREFIX}*.ts"))
        },
        round(sum(float(length) for length in _LENGTH.findall(text)) * 1000),
    )
