"""API operations on episodes: create, read, change, list and delete them, and list their findings.

Findings are the fact claims and clips that the fact-check agent found in an episode's transcript.

The partition key of an episode contains its owner. So another owner's episode gives the same 404 as one that does not
exist.
"""

import hashlib
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta

from handlers.common.errors import HandlerError
from handlers.common.ids import timestamp
from handlers.common.logging import EventLog
from handlers.common.rest import RestAnswer, RestRequest
from handlers.livestream.api_models import (
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
)
from handlers.livestream.episode_record import EpisodeRecord
from handlers.livestream.episode_table import EpisodeConflict, EpisodeTable, ItemPage
from handlers.livestream.episodes.page_cursors import Cursors, ListIdentity
from handlers.livestream.error_codes import LivestreamErrorCode
from handlers.livestream.event_names import EPISODE_DELETED
from handlers.livestream.event_publisher import EventNotPublished, PublishEvent
from handlers.livestream.findings import FindingKind, FindingsTable
from handlers.livestream.table_keys import episode_id_from_token
from handlers.livestream.track_processing_states import Track, TrackState


@dataclass(frozen=True)
class EpisodeOperations:
    table: EpisodeTable
    findings: FindingsTable
    cursors: Cursors
    """Cursors for all lists: episodes, claims and clips."""
    publish: PublishEvent
    _: KW_ONLY
    deleted_days: int
    """Number of days for which the record of a deleted episode (its tombstone) is kept."""
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    """Function that returns a new ULID."""
    log: EventLog

    def create(self, call: RestRequest[None, None, NewEpisode]) -> RestAnswer[Episode]:
        """Create an episode, or return the one that the same request with the same client token created before."""
        episode = self._new_record(call.owner, call.body)
        try:
            self.table.create(episode)
        except EpisodeConflict as conflict:
            if conflict.current.creation != episode.creation or conflict.current.deleted_at is not None:
                raise HandlerError(
                    LivestreamErrorCode.TOKEN_USED,
                    "This clientToken was already used to create a different or deleted episode. "
                    "Use a new clientToken.",
                ) from None
            return RestAnswer(conflict.current.to_episode(), 200)
        return RestAnswer(episode.to_episode(), 201)

    def get(self, call: RestRequest[EpisodePath]) -> RestAnswer[Episode]:
        return RestAnswer(self.table.get(call.owner, call.parameters.episode_id).to_episode())

    def update(self, call: RestRequest[EpisodePath, None, EpisodeChanges]) -> RestAnswer[Episode]:
        """Change an episode if it still has the version that the client names."""
        request = call.body
        changes = request.model_dump(mode="json", by_alias=True, include=request.model_fields_set - {"version"})
        now = timestamp(self.clock())
        try:
            changed = self.table.update(call.owner, call.parameters.episode_id, changes, request.version, now)
        except EpisodeConflict as conflict:
            raise HandlerError(
                LivestreamErrorCode.VERSION_CONFLICT,
                f"The episode is now at version {conflict.current.version}. Read it again and repeat the change.",
            ) from None
        return RestAnswer(changed.to_episode())

    def delete(self, call: RestRequest[EpisodePath]) -> RestAnswer[None]:
        """Delete an episode, and publish the event that starts its cleanup."""
        now, episode_id = self.clock(), call.parameters.episode_id
        tombstone_expires = now + timedelta(days=self.deleted_days)
        self.table.delete(call.owner, episode_id, timestamp(now), int(tombstone_expires.timestamp()))
        try:
            self.publish(EPISODE_DELETED, {"owner": call.owner, "episodeId": episode_id})
        except EventNotPublished:
            # For the client the episode is deleted. The scheduled sweep of the cleanup function removes its data.
            self.log.error("deletion_not_published", route="deleteEpisode")
        return RestAnswer(None, 204)

    def list_episodes(self, call: RestRequest[None, PageQuery]) -> RestAnswer[EpisodePage]:
        listing = ListIdentity("listEpisodes", call.owner)
        page = self.table.list_episodes(call.owner, call.query.limit, self._read_cursor(call.query, listing))
        episodes = tuple(EpisodeRecord.model_validate(item).to_episode() for item in page.items)
        return RestAnswer(EpisodePage(episodes=episodes, next_cursor=self._create_cursor(page, listing)))

    def list_claims(self, call: RestRequest[EpisodePath, PageQuery]) -> RestAnswer[ClaimPage]:
        page, cursor = self._list_findings(call, FindingKind.CLAIM, "listClaims")
        return RestAnswer(
            ClaimPage(claims=tuple(Claim.model_validate(item) for item in page.items), next_cursor=cursor)
        )

    def list_clips(self, call: RestRequest[EpisodePath, PageQuery]) -> RestAnswer[ClipPage]:
        page, cursor = self._list_findings(call, FindingKind.CLIP, "listClips")
        return RestAnswer(ClipPage(clips=tuple(Clip.model_validate(item) for item in page.items), next_cursor=cursor))

    def _list_findings(
        self, call: RestRequest[EpisodePath, PageQuery], kind: FindingKind, operation: str
    ) -> tuple[ItemPage, str | None]:
        """Return a page of the findings of the episode's current transcript, and the cursor of the next page."""
        owner, episode_id = call.owner, call.parameters.episode_id
        upload = self.table.get(owner, episode_id).transcript.upload
        upload_id = "" if upload is None else upload.upload_id
        listing = ListIdentity(operation, owner, {"episodeId": episode_id, "uploadId": upload_id})
        start = self._read_cursor(call.query, listing)
        page = self.findings.list_findings(owner, episode_id, upload_id, kind, call.query.limit, start)
        return page, self._create_cursor(page, listing)

    def _read_cursor(self, query: PageQuery, listing: ListIdentity) -> str | None:
        return None if query.cursor is None else self.cursors.decrypt(query.cursor, listing)

    def _create_cursor(self, page: ItemPage, listing: ListIdentity) -> str | None:
        return None if page.next_position is None else self.cursors.encrypt(page.next_position, listing)

    def _new_record(self, owner: str, request: NewEpisode) -> EpisodeRecord:
        now, token = timestamp(self.clock()), request.client_token
        empty_track = Track(state=TrackState.NONE, since=now)
        return EpisodeRecord(
            owner=owner,
            episode_id=self.new_id() if token is None else episode_id_from_token(owner, token),
            title=request.title,
            description=request.description,
            language=request.language,
            speakers=request.speakers,
            video=empty_track,
            transcript=empty_track,
            created_at=now,
            updated_at=now,
            creation=None if token is None else _fingerprint(request),
        )


def _fingerprint(request: NewEpisode) -> str:
    """Return a hash of the request. It shows whether a client uses its token again for different content."""
    return hashlib.sha256(request.model_dump_json(exclude={"client_token"}).encode()).hexdigest()
