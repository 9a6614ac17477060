"""API operations on episodes: create, read, change, list and delete them, and list their findings.

Findings are the fact claims and clips that the fact-check agent found in an episode's transcript.

The partition key of an episode contains its owner. So another owner's episode gives the same 404 as one that does not
exist.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handlers.common.errors import HandlerError
from handlers.common.ids import timestamp
from handlers.common.rest import RestAnswer, RestRequest
from handlers.livestream.deletions import DeletedEpisode
from handlers.livestream.episode_table import EpisodeRecord, EpisodeTable
from handlers.livestream.episodes.cursors import Cursors
from handlers.livestream.error_codes import LivestreamErrorCode
from handlers.livestream.findings import FindingKind, FindingsTable
from handlers.livestream.models import (
    Claim,
    ClaimPage,
    Clip,
    ClipPage,
    Episode,
    EpisodeChanges,
    EpisodePage,
    EpisodePath,
    NewEpisode,
    PageQuery,
    TrackView,
)
from handlers.livestream.tracks import Track, TrackState, episode_status


@dataclass(frozen=True)
class EpisodeOperations:
    table: EpisodeTable
    findings: FindingsTable
    cursors: Cursors
    """Cursors for all lists: episodes, claims and clips."""
    queue_deletion: Callable[[DeletedEpisode], None]
    """Function that has the data of a deleted episode removed."""
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    """Function that returns a new ULID."""

    def create(self, call: RestRequest[None, None, NewEpisode]) -> RestAnswer[Episode]:
        """Create an episode, or return the existing one with the id that the client chose."""
        request, now = call.body, timestamp(self.clock())
        empty_track = Track(state=TrackState.NONE, since=now)
        episode, is_new = self.table.create(
            EpisodeRecord(
                owner=call.owner,
                episode_id=request.episode_id or self.new_id(),
                title=request.title,
                description=request.description,
                language=request.language,
                speakers=request.speakers,
                video=empty_track,
                transcript=empty_track,
                created_at=now,
                updated_at=now,
            )
        )
        if episode.deleted_at is not None:
            raise HandlerError(
                LivestreamErrorCode.EPISODE_DELETED, "The episode with this id was deleted. Use a new id."
            )
        return RestAnswer(to_episode(episode), 201 if is_new else 200)

    def get(self, call: RestRequest[EpisodePath]) -> RestAnswer[Episode]:
        return RestAnswer(to_episode(self.table.get(call.owner, call.parameters.episode_id)))

    def update(self, call: RestRequest[EpisodePath, None, EpisodeChanges]) -> RestAnswer[Episode]:
        """Change an episode if it still has the version that the client names, or already has these values."""
        request, now = call.body, timestamp(self.clock())
        values = {name: getattr(request, name) for name in request.model_fields_set - {"version"}}

        def change(episode: EpisodeRecord) -> EpisodeRecord:
            if episode.version == request.version:
                return episode.model_copy(update={**values, "version": request.version + 1, "updated_at": now})
            if episode.version == request.version + 1 and episode == episode.model_copy(update=values):
                return episode  # the client, or boto3, sent the change again after its response was lost
            raise HandlerError(
                LivestreamErrorCode.VERSION_CONFLICT,
                f"The episode is now at version {episode.version}. Read it again and repeat the change.",
            )

        return RestAnswer(to_episode(self.table.change(call.owner, call.parameters.episode_id, change)))

    def delete(self, call: RestRequest[EpisodePath]) -> RestAnswer[None]:
        """Delete an episode. The function `episode-cleanup` removes its data."""
        owner, episode_id = call.owner, call.parameters.episode_id
        self.table.get(owner, episode_id)  # raises a 404 for an unknown episode, for which no message is sent
        self.queue_deletion(DeletedEpisode(owner=owner, episode_id=episode_id))
        self.table.delete(owner, episode_id)
        return RestAnswer(None, 204)

    def list_episodes(self, call: RestRequest[None, PageQuery]) -> RestAnswer[EpisodePage]:
        listing = ("listEpisodes", call.owner)
        episodes, position = self.table.list_episodes(
            call.owner, call.query.limit, self._read_cursor(call.query, *listing)
        )
        return RestAnswer(
            EpisodePage(
                episodes=tuple(to_episode(episode) for episode in episodes),
                next_cursor=self._create_cursor(position, *listing),
            )
        )

    def list_claims(self, call: RestRequest[EpisodePath, PageQuery]) -> RestAnswer[ClaimPage]:
        claims, cursor = self._list_findings(call, FindingKind.CLAIM, "listClaims")
        return RestAnswer(ClaimPage(claims=tuple(map(Claim.model_validate, claims)), next_cursor=cursor))

    def list_clips(self, call: RestRequest[EpisodePath, PageQuery]) -> RestAnswer[ClipPage]:
        clips, cursor = self._list_findings(call, FindingKind.CLIP, "listClips")
        return RestAnswer(ClipPage(clips=tuple(map(Clip.model_validate, clips)), next_cursor=cursor))

    def _list_findings(
        self, call: RestRequest[EpisodePath, PageQuery], kind: FindingKind, operation: str
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """Return a page of the findings of the episode's current transcript, and the cursor of the next page."""
        owner, episode_id = call.owner, call.parameters.episode_id
        upload = self.table.get(owner, episode_id).transcript.upload
        upload_id = "" if upload is None else upload.upload_id
        listing = (operation, owner, episode_id, upload_id)
        start = self._read_cursor(call.query, *listing)
        page = self.findings.list_findings(owner, episode_id, upload_id, kind, call.query.limit, start)
        return page.items, self._create_cursor(page.next_position, *listing)

    def _read_cursor(self, query: PageQuery, *listing: str) -> str | None:
        return None if query.cursor is None else self.cursors.decrypt(query.cursor, *listing)

    def _create_cursor(self, position: str | None, *listing: str) -> str | None:
        return None if position is None else self.cursors.encrypt(position, *listing)


def to_episode(record: EpisodeRecord) -> Episode:
    """Return an episode as the API shows it."""
    return Episode(
        episode_id=record.episode_id,
        title=record.title,
        description=record.description,
        language=record.language,
        speakers=record.speakers,
        status=episode_status(record.video.state, record.transcript.state),
        video=_to_track_view(record.video),
        transcript=_to_track_view(record.transcript),
        created_at=record.created_at,
        updated_at=record.updated_at,
        version=record.version,
    )


def _to_track_view(track: Track) -> TrackView:
    upload_id = track.upload.upload_id if track.upload else None
    return TrackView(state=track.state, since=track.since, reason=track.reason, upload_id=upload_id)
