"""What clients do with episodes: create, read, change, list and delete them, and list what was found in them.

An owner's episodes are in partitions of his own, so somebody else's are as unknown as those that never were.
"""

import hashlib
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta

from handlers.common.errors import HandlerError
from handlers.common.http.rest_dispatch import RestAnswer, RestRequest
from handlers.common.logging import EventLog
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.livestream.api_models import (
    Claim,
    ClaimPage,
    Clip,
    ClipPage,
    EpisodeChanges,
    EpisodePage,
    NewEpisode,
)
from handlers.livestream.episode_table import EpisodeStands, EpisodeTable, Page
from handlers.livestream.episodes_api.page_cursors import Cursors, Listing
from handlers.livestream.error_codes import Code
from handlers.livestream.event_names import EPISODE_DELETED
from handlers.livestream.event_publisher import NotPublished, Publish
from handlers.livestream.table_records import EpisodeRecord, Found, id_of_token
from handlers.livestream.tracks import Track, TrackState


@dataclass(frozen=True)
class Episodes:
    """Does what operations ask."""

    table: EpisodeTable
    cursors: Cursors
    publish: Publish
    _: KW_ONLY
    deleted_days: int
    """How long a deleted episode's mark stays."""
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    """Gives ULIDs."""
    log: EventLog

    def create(self, call: RestRequest) -> RestAnswer:
        """A new episode; or the one that the same creation made before."""
        asked: NewEpisode = call.body
        episode = self._new(call.owner, asked)
        try:
            self.table.create(episode)
        except EpisodeStands as stands:
            if stands.there.creation != episode.creation or stands.there.deleted_at is not None:
                raise HandlerError(
                    Code.TOKEN_USED, "clientToken was used to create another episode, or one that is deleted.", 409
                ) from None
            return RestAnswer(stands.there.view(), 200)
        return RestAnswer(episode.view(), 201)

    def get(self, call: RestRequest) -> RestAnswer:
        """An episode."""
        return RestAnswer(self.table.get(call.owner, call.parameters.episode_id).view())

    def update(self, call: RestRequest) -> RestAnswer:
        """An episode with changes, if they are made to what it is now."""
        asked: EpisodeChanges = call.body
        changes = asked.model_dump(mode="json", by_alias=True, include=asked.model_fields_set - {"version"})
        now = timestamp(self.clock())
        try:
            changed = self.table.change(call.owner, call.parameters.episode_id, changes, asked.version, now)
        except EpisodeStands as stands:
            raise HandlerError(
                Code.VERSION_CONFLICT, f"The episode is of version {stands.there.version} by now. Read it again.", 409
            ) from None
        return RestAnswer(changed.view())

    def delete(self, call: RestRequest) -> RestAnswer:
        """Nothing, once the episode is gone. What belongs to it goes when the bus tells of it."""
        now, episode_id = self.clock(), call.parameters.episode_id
        ends = now + timedelta(days=self.deleted_days)
        self.table.delete(call.owner, episode_id, timestamp(now), int(ends.timestamp()))
        try:
            self.publish(EPISODE_DELETED, {"owner": call.owner, "episodeId": episode_id})
        except NotPublished:
            # The episode is gone, and says so; a sweep finds what is left of it.
            self.log.error("deletion_not_published", route="deleteEpisode")
        return RestAnswer(status=204)

    def list(self, call: RestRequest) -> RestAnswer:
        """Some of an owner's episodes."""
        listing = Listing("listEpisodes", call.owner)
        page = self.table.page(call.owner, call.query.limit, self._after(call, listing))
        episodes = tuple(EpisodeRecord.model_validate(item).view() for item in page.items)
        return RestAnswer(EpisodePage(episodes=episodes, next_cursor=self._next(page, listing)))

    def claims(self, call: RestRequest) -> RestAnswer:
        """Some of an episode's claims."""
        page, cursor = self._found(call, Found.CLAIM, "listClaims")
        return RestAnswer(ClaimPage(claims=tuple(Claim.model_validate(one) for one in page.items), next_cursor=cursor))

    def clips(self, call: RestRequest) -> RestAnswer:
        """Some of an episode's clips."""
        page, cursor = self._found(call, Found.CLIP, "listClips")
        return RestAnswer(ClipPage(clips=tuple(Clip.model_validate(one) for one in page.items), next_cursor=cursor))

    def _found(self, call: RestRequest, kind: Found, operation: str) -> tuple[Page, str | None]:
        episode_id = call.parameters.episode_id
        listing = Listing(operation, call.owner, {"episodeId": episode_id})
        after = self._after(call, listing)
        page = self.table.found(call.owner, episode_id, kind, call.query.limit, after)
        if not page.items and after is None:
            self.get(call)  # an episode without any, or no episode at all
        return page, self._next(page, listing)

    def _after(self, call: RestRequest, listing: Listing) -> str | None:
        cursor: str | None = call.query.cursor
        return None if cursor is None else self.cursors.opened(cursor, listing)

    def _next(self, page: Page, listing: Listing) -> str | None:
        return None if page.position is None else self.cursors.sealed(page.position, listing)

    def _new(self, owner: str, asked: NewEpisode) -> EpisodeRecord:
        now, token = timestamp(self.clock()), asked.client_token
        nothing = Track(state=TrackState.NONE, since=now)
        return EpisodeRecord(
            owner=owner,
            episode_id=self.new_id() if token is None else id_of_token(owner, token),
            title=asked.title,
            description=asked.description,
            language=asked.language,
            speakers=asked.speakers,
            video=nothing,
            transcript=nothing,
            created_at=now,
            updated_at=now,
            creation=None if token is None else _fingerprint(asked),
        )


def _fingerprint(asked: NewEpisode) -> str:
    return hashlib.sha256(asked.model_dump_json(exclude={"client_token"}).encode()).hexdigest()
