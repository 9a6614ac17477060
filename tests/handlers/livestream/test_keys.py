"""S3 keys of uploaded videos and transcripts are parsed into their parts. All other keys are refused."""

from handlers.livestream.keys import TRANSCRIPTS, VIDEOS, UploadedObject, parse_upload

OWNER, EPISODE, UPLOAD = "A" * 32, "01KE1VN3KVAT25Y7H06Z6YBYC4", "01KE1VN3KV2ZWKCAX1YZZDK9JW"
FOLDER = f"{VIDEOS}{OWNER}/{EPISODE}/"
KEY = f"{FOLDER}{UPLOAD}.mp4"


def test_the_key_of_an_upload_is_parsed_and_any_other_key_is_refused() -> None:
    invalid_keys = (
        *(f"/{KEY}", f"{KEY}/", f"{KEY}\n", KEY[:-1], KEY.replace("/", "%2F"), KEY.replace(f"{EPISODE}/", "")),
        *(f"{FOLDER}{'U' * 26}.mp4", f"{FOLDER}{UPLOAD}", f"{FOLDER}{UPLOAD}.m3u8", f"{FOLDER}{UPLOAD}xmp4"),
        *(KEY.replace(OWNER, "someone"), KEY.replace(OWNER, ".."), KEY.replace(VIDEOS, TRANSCRIPTS)),
    )
    assert [key for key in invalid_keys if parse_upload(VIDEOS, key, "v1") is not None] == []
    assert parse_upload(VIDEOS, KEY, "v1") == UploadedObject(KEY, "v1", OWNER, EPISODE, UPLOAD)
    assert parse_upload(VIDEOS, KEY.replace(OWNER, "everybody"), "v1") is not None
