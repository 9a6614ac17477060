"""S3 keys of uploaded videos and transcripts are parsed into their parts. All other keys are refused."""

import pytest

from handlers.livestream.keys import TRANSCRIPTS, VIDEOS, UploadKey, parse_upload_key
from tests.handlers.livestream.video_chunks.video_processing_harness import EPISODE, OWNER, UPLOAD, key


@pytest.mark.parametrize("prefix", [VIDEOS, TRANSCRIPTS])
@pytest.mark.parametrize("owner", [OWNER, "everybody"])
@pytest.mark.parametrize("suffix", ["", ".mp4", ".MOV", ".srt", ".other"])
def test_a_key_is_parsed_with_any_suffix(prefix: str, owner: str, suffix: str) -> None:
    result = parse_upload_key(prefix, key(suffix=suffix, owner=owner).replace(VIDEOS, prefix))
    assert result == UploadKey(owner, EPISODE, UPLOAD, suffix[1:].lower())


@pytest.mark.parametrize(
    "invalid_key",
    [
        f"/{key()}",
        f"{key()}/",
        f"{key()}\n",
        key(owner="someone"),
        key(owner=".."),
        key(upload=UPLOAD[:-1]),
        key(upload="U" * 26),
        key(suffix=".mp4.exe"),
        key(suffix=".mp\uff14"),
        key(suffix=f".{'x' * 17}"),
        key().replace("/", "%2F"),
        key().replace(VIDEOS, "chunks/"),
        key().replace(VIDEOS, TRANSCRIPTS),
        f"{VIDEOS}{OWNER}/{UPLOAD}.mp4",
    ],
)
def test_a_key_of_any_other_form_is_refused(invalid_key: str) -> None:
    assert parse_upload_key(VIDEOS, invalid_key) is None
