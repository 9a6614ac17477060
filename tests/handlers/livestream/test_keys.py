"""S3 keys of uploaded videos and transcripts are parsed into their parts. All other keys are refused."""

from handlers.livestream.keys import TRANSCRIPTS, VIDEOS, UploadedObject, parse_upload

OWNER, EPISODE, UPLOAD = "A" * 32, "01KE1VN3KVAT25Y7H06Z6YBYC4", "01KE1VN3KV2ZWKCAX1YZZDK9JW"
FOLDER = f"{VIDEOS}{OWNER}/{EPISODE}/"
KEY = f"{FOLDER}{UPLOAD}"


def test_a_key_is_parsed_with_any_suffix() -> None:
    for prefix, owner in ((VIDEOS, OWNER), (TRANSCRIPTS, "everybody")):
        for suffix in ("", ".mp4", ".MOV", ".srt", ".other"):
            key = f"{prefix}{owner}/{EPISODE}/{UPLOAD}{suffix}"
            expected = UploadedObject(key, "v1", owner, EPISODE, UPLOAD, suffix[1:].lower())
            assert parse_upload(prefix, key, "v1") == expected


def test_a_key_of_any_other_form_is_refused() -> None:
    invalid_keys = (
        *(f"/{KEY}", f"{KEY}/", f"{KEY}\n", KEY[:-1], KEY.replace("/", "%2F"), KEY.replace(f"{EPISODE}/", "")),
        *(f"{FOLDER}{'U' * 26}", f"{KEY}.mp4.exe", f"{KEY}.mp\uff14", f"{KEY}.{'x' * 17}"),
        *(KEY.replace(OWNER, "someone"), KEY.replace(OWNER, ".."), KEY.replace(VIDEOS, TRANSCRIPTS)),
    )
    assert [key for key in invalid_keys if parse_upload(VIDEOS, key, "v1") is not None] == []
