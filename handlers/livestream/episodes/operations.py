"""API operations on episodes: create, read, change, list and delete them, and list their findings.

The Lambda function `episodes` binds the methods of `EpisodeOperations` to the API's routes. Findings are the fact claims
and clips that the fact-check agent found in an episode's transcript. The partition key of an episode contains its owner.
So another owner's episode gives the same 404 as an episode that does not exist.

A list is returned in pages. A cursor contains the position from which the list continues, and the identity of its list:
kind of entries, owner and parameters. It is valid for this list only, and for a limited time. It is encrypted and signed
(Fernet), so clients can neither read nor create one. The page size is not part of the identity, so a client may change
it between pages. The secret may have several lines, and each line gives one key. The first key encrypts, and the other
keys still decrypt older cursors, so the secret can be changed without invalidating cursors.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from handlers.common.errors import HandlerError
from handlers.common.ids import timestamp
from handlers.common.rest import RestAnswer, RestRequest
from handlers.livestream.environment import parse_secrets
from handlers.livestream.episode_table import DeletedEpisode, EpisodeRecord, EpisodeTable
from handlers.livestream.episodes.routes import LivestreamErrorCode
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
from handlers.livestream.windows import FindingsKind, FindingsTable

CURSOR_SECONDS = 3600
"""Validity of a cursor."""


@dataclass(frozen=True)
class Cursors:
    """Encryption and check of the cursors of all lists."""

    secret: Callable[[], str]
    """Function that returns the secret. It is only called for a cursor, so most requests never read the secret."""
    clock: Callable[[], datetime]

    def encrypt(self, position: str | None, *listing: str) -> str | None:
        """Return a cursor for a position in the list with the identity `listing`, or None after its last page."""
        if position is None:
            return None
        content = json.dumps([*listing, position]).encode()
        return self._fernet().encrypt_at_time(content, int(self.clock().timestamp())).rstrip(b"=").decode()

    def decrypt(self, cursor: str | None, *listing: str) -> str | None:
        """Return the position of a cursor. Return None without a cursor, for the first page.

        Raise HandlerError if the cursor is invalid, expired or of another list.
        """
        if cursor is None:
            return None
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)  # `encrypt` removed the padding
        with suppress(InvalidToken):
            content = self._fernet().decrypt_at_time(padded, CURSOR_SECONDS, int(self.clock().timestamp()))
            *identity, position = json.loads(content)
            if identity == list(listing):
                return str(position)
        raise HandlerError(
            LivestreamErrorCode.CURSOR_INVALID,
            "This cursor has expired or does not belong to this list. Start again with the first page.",
        )

    def _fernet(self) -> MultiFernet:
        secrets = (hashlib.sha256(line.encode()).digest() for line in parse_secrets(self.secret()))
        return MultiFernet([Fernet(base64.urlsafe_b64encode(secret)) for secret in secrets])


@dataclass(frozen=True)
class EpisodeOperations:
    """Functions that perform the API operations on episodes and findings."""

    table: EpisodeTable
    findings: FindingsTable
    cursors: Cursors
    queue_deletion: Callable[[DeletedEpisode], None]
    """Function that sends the messages which make `episode-cleanup` remove the data of a deleted episode."""
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    """Function that returns a new ULID."""

    def create(self, call: RestRequest[None, None, NewEpisode]) -> RestAnswer[Episode]:
        """Create an episode, or return the existing episode with the id that the client chose."""
        request, now = call.body, timestamp(self.clock())
        empty_track = Track(state=TrackState.NONE, since=now)
        episode, is_new = self.table.create(
            EpisodeRecord(
                **request.model_dump(exclude={"episode_id"}),
                owner=call.owner,
                episode_id=request.episode_id or self.new_id(),
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
        return RestAnswer(content=to_episode(episode), status=201 if is_new else 200)

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
        """Delete an episode. The Lambda function `episode-cleanup` removes its data later."""
        owner, episode_id = call.owner, call.parameters.episode_id
        self.table.get(owner, episode_id)  # raises a 404 for an unknown episode, for which no message is sent
        # The messages are sent first, so no episode that is marked as deleted lacks them.
        self.queue_deletion(DeletedEpisode(owner=owner, episode_id=episode_id))
        self.table.delete(owner, episode_id)
        return RestAnswer(content=None, status=204)

    def list_episodes(self, call: RestRequest[None, PageQuery]) -> RestAnswer[EpisodePage]:
        listing = ("episodes", call.owner)
        start = self.cursors.decrypt(call.query.cursor, *listing)
        episodes, position = self.table.list_episodes(call.owner, call.query.limit, start)
        return RestAnswer(
            EpisodePage(
                episodes=tuple(to_episode(episode) for episode in episodes),
                next_cursor=self.cursors.encrypt(position, *listing),
            )
        )

    def list_claims(self, call: RestRequest[EpisodePath, PageQuery]) -> RestAnswer[ClaimPage]:
        claims, cursor = self._list_findings(call, "claims")
        return RestAnswer(ClaimPage(claims=tuple(map(Claim.model_validate, claims)), next_cursor=cursor))

    def list_clips(self, call: RestRequest[EpisodePath, PageQuery]) -> RestAnswer[ClipPage]:
        clips, cursor = self._list_findings(call, "clips")
        return RestAnswer(ClipPage(clips=tuple(map(Clip.model_validate, clips)), next_cursor=cursor))

    def _list_findings(
        self, call: RestRequest[EpisodePath, PageQuery], kind: FindingsKind
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """Return a page of the findings of the episode's current transcript, and the cursor of the next page, if any."""
        owner, episode_id = call.owner, call.parameters.episode_id
        upload = self.table.get(owner, episode_id).transcript.upload
        upload_id = "" if upload is None else upload.upload_id  # without an upload, the list is empty
        listing = (kind, owner, episode_id, upload_id)
        start = self.cursors.decrypt(call.query.cursor, *listing)
        found, position = self.findings.list_findings(owner, episode_id, upload_id, kind, call.query.limit, start)
        return found, self.cursors.encrypt(position, *listing)


def to_episode(record: EpisodeRecord) -> Episode:
    """Return an episode as the API shows it. Its status follows from the states of its video and of its transcript."""
    views = {
        "status": episode_status(record.video.state, record.transcript.state),
        "video": _to_track_view(record.video),
        "transcript": _to_track_view(record.transcript),
    }
    return Episode.model_validate({**record.model_dump(exclude={"video", "transcript"}), **views})


def _to_track_view(track: Track) -> TrackView:
    upload_id = track.upload.upload_id if track.upload else None
    return TrackView(state=track.state, since=track.since, reason=track.reason, upload_id=upload_id)
