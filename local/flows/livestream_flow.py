"""Flow of livestream: an episode (one broadcast) is created, gets a transcript and a video, and is deleted.

The video is cut into chunks. In the transcript, the model finds claims (statements to be verified) and clips (sections
worth watching alone).
"""

from handlers.common.ids import new_id
from local.flows import Checks, Stack, StepReporter
from local.flows.http_requests import send
from local.flows.livestream_client import LivestreamBackend, make_video

TRANSCRIPT = b"""1
00:00:00,000 --> 00:00:03,000
The city opened the new bridge on Monday.

2
00:00:03,000 --> 00:00:06,000
It is the longest bridge in the whole country.

3
00:00:06,000 --> 00:00:09,000
The river has never been so high in November.

4
00:00:09,000 --> 00:00:12,000
Water boils at a lower temperature on a high mountain.

5
00:00:12,000 --> 00:00:15,000
Heavy rain is expected in the north this evening.
"""
VIDEO_SECONDS = 5
"""Duration of the video. On the local platform, a file of this size is uploaded in parts."""
MPEG_TS_SYNC = b"\x47"
"""First byte of every packet of MPEG-TS, the format of the chunks."""
PAGE_SIZE = 2
"""Number of episodes on a page of the list."""


def play(stack: Stack, report_step: StepReporter) -> list[str]:
    """Run the flow with three episodes, of which only the first is processed. Return the problems."""
    livestream, checks = LivestreamBackend(stack), Checks()
    episode_id = new_id()
    first = livestream.create_episode("first", episodeId=episode_id)
    repeated_answer = livestream.create_episode("first", episodeId=episode_id)
    checks.equal("id of the episode that is created twice", repeated_answer["episodeId"], first["episodeId"])
    others = [livestream.create_episode(title) for title in ("second", "third")]
    own_ids = {episode["episodeId"] for episode in (first, *others)}

    def listed_titles() -> list[str]:
        episodes = [episode for page in livestream.list_pages(PAGE_SIZE) for episode in page]
        return [episode["title"] for episode in episodes if episode["episodeId"] in own_ids]

    path = f"/episodes/{first['episodeId']}"
    report_step("three episodes created; the first was sent twice with one id, and exists once")
    livestream.ask("PATCH", path, {"version": first["version"], "title": "first, corrected"})
    conflict = livestream.ask("PATCH", path, {"version": first["version"], "title": "too late"})
    checks.equal("status of a change to an old version", conflict.status, 409)
    report_step(
        f"an episode changed; a change to its old version is refused: {conflict.status} {conflict.body['code']}"
    )
    checks.equal("length of the longest page", max(len(page) for page in livestream.list_pages(PAGE_SIZE)), PAGE_SIZE)
    checks.equal("episodes, newest first", titles := listed_titles(), ["third", "second", "first, corrected"])
    report_step(f"listed newest first, with encrypted cursors: {', '.join(titles)}")
    files = {("transcript", "application/x-subrip"): TRANSCRIPT, ("video", "video/mp4"): make_video(VIDEO_SECONDS)}
    uploads = [livestream.upload(first["episodeId"], *kind, data) for kind, data in files.items()]
    checks.equal("uploads with the status 2xx", [status // 100 for _, status in uploads], [2, 2])
    ways = ["by form" if "form" in ready else "in parts" for ready, _ in uploads]
    report_step(f"a transcript uploaded {ways[0]} and a video {ways[1]}")
    episode = livestream.wait_until_processed(first["episodeId"])
    checks.equal(
        "states of the tracks", [episode["transcript"]["state"], episode["video"]["state"]], ["analyzed", "chunked"]
    )
    _download_last_chunk(livestream, path, checks, report_step)
    claims = [claim["quote"] for claim in livestream.ask("GET", f"{path}/claims").body["claims"]]
    clips = livestream.ask("GET", f"{path}/clips").body["clips"]
    checks.present("quotes of the claims", *claims)
    report_step(f"the transcript is {episode['transcript']['state']}: claims {'; '.join(claims)}; clips: {len(clips)}")
    livestream.ask("DELETE", path)
    deleted_status = livestream.ask("GET", path).status
    checks.equal("status of a deleted episode", deleted_status, 404)
    checks.equal("remaining episodes", listed_titles(), ["third", "second"])
    report_step(f"a deleted episode answers {deleted_status} and is in no list")
    for episode in others:
        livestream.ask("DELETE", f"/episodes/{episode['episodeId']}")
    report_step("the other episodes deleted, too")
    return checks.problems


def _download_last_chunk(livestream: LivestreamBackend, path: str, checks: Checks, report_step: StepReporter) -> None:
    """Download the last chunk of an episode's video, as a player does."""
    playback = livestream.ask("GET", f"{path}/chunks").body
    played = send("GET", playback["chunks"][-1]["url"])
    checks.equal("status and first byte of a played chunk", (played.status, played.data[:1]), (200, MPEG_TS_SYNC))
    report_step(
        f"the video is cut: chunk {len(playback['chunks'])} downloaded with a presigned URL of {playback['expiresSeconds']} s"
    )
