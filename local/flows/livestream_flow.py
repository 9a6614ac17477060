"""The livestream's flow: an episode is created, listed, changed, given a transcript and a video, and deleted; another's
upload never comes.

The video is cut by the local MediaConvert, with real ffmpeg; the local model answers by what the transcript says.
"""

import uuid

from local.flows import Checks, Tell
from local.flows.livestream_client import Livestream
from local.flows.sample_video import film

TRANSCRIPT = b"""1
00:00:00,000 --> 00:00:04,000
Good morning, and welcome to the harbour.

2
00:00:04,000 --> 00:00:09,000
This city has 12 bridges.

3
00:00:09,000 --> 00:00:15,000
It is the largest harbour of the country.
"""
CLAIMS = ["This city has 12 bridges", "It is the largest harbour of the country"]
FILM_SECONDS = 5
"""As many make more than a form takes on the local platform: the video goes in parts."""
CHUNKS = 3
"""Of two seconds, the last of one."""
PAGE = 2


def play(livestream: Livestream, tell: Tell) -> list[str]:
    """Create three episodes, work on the first, and delete them all; return what was not as it should be."""
    checks = Checks()
    token = uuid.uuid4().hex
    first = livestream.create("first", clientToken=token)
    again = livestream.create("first", clientToken=token)
    checks.equal("the episode that is created twice", again["episodeId"], first["episodeId"])
    others = [livestream.create(title) for title in ("second", "third")]
    own = {one["episodeId"] for one in (first, *others)}

    def listed() -> list[str]:
        return [one["title"] for page in livestream.pages(PAGE) for one in page if one["episodeId"] in own]

    path = f"/episodes/{first['episodeId']}"
    tell("three episodes created over HTTP; the first one twice under its token: it is one")
    livestream.ask("PATCH", path, {"version": first["version"], "title": "first, corrected"})
    conflict = livestream.ask("PATCH", path, {"version": first["version"], "title": "too late"})
    checks.equal("the status of a late change", conflict.status, 409)
    tell(f"one changed; a change to what it was before: {conflict.status} {conflict.body['code']}")
    checks.equal("the longest page", max(len(page) for page in livestream.pages(PAGE)), PAGE)
    checks.equal("the episodes, newest first", titles := listed(), ["third", "second", "first, corrected"])
    tell(f"listed newest first, with sealed cursors: {', '.join(titles)}")
    files = {("transcript", "application/x-subrip"): TRANSCRIPT, ("video", "video/mp4"): film(FILM_SECONDS)}
    uploads = [(livestream.upload(first["episodeId"], *kind, data)[0], len(data)) for kind, data in files.items()]
    checks.equal("how they are uploaded", ["form" in one for one, _ in uploads], [True, False])
    checks.equal("what arrived", [livestream.size(one["key"]) for one, _ in uploads], [size for _, size in uploads])
    tell(f"a transcript uploaded by form, a video in parts: {', '.join(f'{size} bytes' for _, size in uploads)}")
    cut = livestream.done(first["episodeId"])
    checks.equal("the tracks", [cut["transcript"]["state"], cut["video"]["state"]], ["analyzed", "chunked"])
    chunks = livestream.chunks(first["episodeId"])
    checks.equal("the chunks", len(chunks), CHUNKS)
    tell(f"the video is {cut['video']['state']} into {len(chunks)}, by real ffmpeg")
    claims = [one["quote"] for one in livestream.ask("GET", f"{path}/claims").body["claims"]]
    clips = livestream.ask("GET", f"{path}/clips").body["clips"]
    checks.equal("what is claimed in the transcript", claims, CLAIMS)
    checks.equal("the clips", len(clips), 1)
    tell(f"the transcript is {cut['transcript']['state']}: {'; '.join(claims)}; {len(clips)} clip")
    waits = f"/episodes/{others[0]['episodeId']}"
    livestream.ask("POST", f"{waits}/uploads", {"kind": "video", "contentType": "video/mp4", "bytes": 10**9})
    livestream.ages(others[0]["episodeId"], "video")
    livestream.sweep()
    given_up = livestream.ask("GET", waits).body["video"]
    checks.equal("a video that never came", (given_up["state"], given_up["reason"]), ("failed", "NEVER_UPLOADED"))
    tell(f"another's video never came, and a sweep a year later gives it up: {given_up['reason']}")
    livestream.ask("DELETE", path)
    gone = livestream.ask("GET", path).status
    checks.equal("the status of a deleted episode", gone, 404)
    checks.equal("the episodes that are left", listed(), ["third", "second"])
    tell(f"deleted: {gone}, and no list has it")
    for one in others:
        livestream.ask("DELETE", f"/episodes/{one['episodeId']}")
    for episode in sorted(own):
        livestream.tidied(episode)
    tell("tidied up: no claim, clip, object, begun upload or memory is left")
    return checks.problems
