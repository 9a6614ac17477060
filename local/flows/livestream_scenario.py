"""The livestream's flow: an episode is created, listed, changed, given a transcript and a video, and deleted; another's
upload never comes.

The video is cut by the local MediaConvert, with real ffmpeg; the local model answers by what the transcript says.
"""

import uuid
from dataclasses import dataclass

from local.flows import Tell
from local.flows.film import film
from local.flows.livestream import Livestream

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
FILM_SECONDS = 5
"""As many make more than a form takes on the local platform: the video goes in parts."""
CHUNKS = 3
"""Of two seconds, the last of one."""
PAGE = 2


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    repeated: bool
    """Whether creating the same twice made one episode."""
    listed: list[str]
    """Titles of its own episodes, newest first."""
    longest_page: int
    conflict: int
    claims: list[str]
    """Quotes of what is claimed in the first one's transcript, found by the agent."""
    clips: int
    uploads: list[tuple[str, bool]]
    """How each was uploaded, and whether all of it arrived."""
    tracks: list[str]
    """Of transcript and video, when the video is cut."""
    chunks: int
    given_up: list[str]
    """State and reason of a video that never came."""
    gone: int
    left: list[str]
    remains: int
    """What there is still of what was deleted: items, versions of objects, uploads in parts, memories."""


EXPECTED = Outcome(
    repeated=True,
    listed=["third", "second", "first, corrected"],
    longest_page=PAGE,
    conflict=409,
    claims=["This city has 12 bridges", "It is the largest harbour of the country"],
    clips=1,
    uploads=[("form", True), ("multipart", True)],
    tracks=["analyzed", "chunked"],
    chunks=CHUNKS,
    given_up=["failed", "NEVER_UPLOADED"],
    gone=404,
    left=["third", "second"],
    remains=0,
)


def play(livestream: Livestream, tell: Tell) -> Outcome:
    """Creates three episodes, works on the first, and deletes it; takes the others away at the end."""
    token = uuid.uuid4().hex
    first = livestream.create("first", clientToken=token)
    own = {first["episodeId"]}
    again = livestream.create("first", clientToken=token)
    others = [livestream.create(title) for title in ("second", "third")]
    own |= {one["episodeId"] for one in others}

    def listed() -> list[str]:
        return [one["title"] for page in livestream.pages(PAGE) for one in page if one["episodeId"] in own]

    path = f"/episodes/{first['episodeId']}"
    tell("three episodes created over HTTP; the first one twice under its token: it is one")
    livestream.ask("PATCH", path, {"version": first["version"], "title": "first, corrected"})
    conflict = livestream.ask("PATCH", path, {"version": first["version"], "title": "too late"})
    tell(f"one changed; a change to what it was before: {conflict.status} {conflict.body['code']}")
    longest, titles = max(len(page) for page in livestream.pages(PAGE)), listed()
    tell(f"listed newest first, with sealed cursors: {', '.join(titles)}")
    files = {("transcript", "application/x-subrip"): TRANSCRIPT, ("video", "video/mp4"): film(FILM_SECONDS)}
    uploads = [(livestream.upload(first["episodeId"], *kind, data)[0], len(data)) for kind, data in files.items()]
    arrived = [("form" if "form" in one else "multipart", livestream.size(one["key"]) == size) for one, size in uploads]
    tell(f"a transcript uploaded by form, a video in parts: {', '.join(f'{size} bytes' for _, size in uploads)}")
    cut = livestream.done(first["episodeId"])
    chunks = livestream.chunks(first["episodeId"])
    tell(f"the video is {cut['video']['state']} into {len(chunks)}, by real ffmpeg")
    claims = [one["quote"] for one in livestream.ask("GET", f"{path}/claims").body["claims"]]
    clips = livestream.ask("GET", f"{path}/clips").body["clips"]
    tell(f"the transcript is {cut['transcript']['state']}: {'; '.join(claims)}; {len(clips)} clip")
    waits = f"/episodes/{others[0]['episodeId']}"
    livestream.ask("POST", f"{waits}/uploads", {"kind": "video", "contentType": "video/mp4", "bytes": 10**9})
    livestream.ages(others[0]["episodeId"], "video")
    livestream.sweep()
    given_up = livestream.ask("GET", waits).body["video"]
    tell(f"another's video never came, and a sweep a year later gives it up: {given_up['reason']}")
    livestream.ask("DELETE", path)
    gone = livestream.ask("GET", path).status
    left = listed()
    tell(f"deleted: {gone}, and no list has it")
    for one in others:
        livestream.ask("DELETE", f"/episodes/{one['episodeId']}")
    remains = [livestream.tidied(episode) for episode in sorted(own)]
    tell("tidied up: no claim, clip, object, begun upload or memory is left")
    return Outcome(
        repeated=first["episodeId"] == again["episodeId"],
        listed=titles,
        longest_page=longest,
        conflict=conflict.status,
        claims=claims,
        clips=len(clips),
        uploads=arrived,
        tracks=[cut["transcript"]["state"], cut["video"]["state"]],
        chunks=len(chunks),
        given_up=[given_up["state"], given_up["reason"]],
        gone=gone,
        left=left,
        remains=sum(sum(one.values()) for one in remains),
    )
