"""A question's record, as whoever answers it moves it on: begun by one at a time, ended by whoever began."""

from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.aws.versioned_items import TooManyWriters, VersionedItems
from handlers.common.logging import EventLog
from handlers.voice_qa.table_records import (
    Allowance,
    Listener,
    QuestionRecord,
    QuestionStatus,
    allowance_key,
    query_key,
)


class QuestionItem:
    """One question of one identity."""

    def __init__(self, items: VersionedItems, identity: str, query_id: str, log: EventLog) -> None:
        self.identity, self.query_id = identity, query_id
        self._items = items
        self._key = query_key(identity, query_id)
        self._log = log

    def begin(self, now_ms: int, until_ms: int, call: str) -> tuple[QuestionRecord, bool]:
        """The question, and whether it is the caller's to answer now; `call` is Lambda's name for him."""

        def begin(now: QuestionRecord) -> tuple[QuestionRecord, tuple[QuestionRecord, bool]]:
            begun, mine = now.begin(now_ms, until_ms, call)
            return begun, (begun, mine)

        return self._items.change(QuestionRecord, self._key, begin)

    def place(self, attempt: int) -> Listener:
        """Who listens now; nobody where another has begun meanwhile."""
        now = self._items.read(QuestionRecord, self._key)
        return now.place if _works(now, attempt) else Listener()

    def give_back(self, attempt: int) -> None:
        """Nothing became of an attempt, by a mistake of ours: the next call may begin."""

        def give_back(now: QuestionRecord) -> tuple[QuestionRecord, None]:
            return (now.release() if _works(now, attempt) else now), None

        self._items.change(QuestionRecord, self._key, give_back)

    def end(self, attempt: int, move: Callable[[QuestionRecord], QuestionRecord]) -> Listener | None:
        """Ends the question, and gives who listens at that moment; none where another has begun meanwhile."""

        def end(now: QuestionRecord) -> tuple[QuestionRecord, Listener | None]:
            return (move(now), now.place) if _works(now, attempt) else (now, None)

        return self._items.change(QuestionRecord, self._key, end)

    def forget(self, code: str, *, retryable: bool) -> None:
        """Its answer is not there any more."""

        def forget(now: QuestionRecord) -> tuple[QuestionRecord, None]:
            answered = now.status is QuestionStatus.ANSWERED
            return (now.failed(code, retryable=retryable) if answered else now), None

        self._items.change(QuestionRecord, self._key, forget)

    def end_allowance(self) -> None:
        """It counts no more as being answered; that ends by itself too, later."""
        try:
            self._items.change(Allowance, allowance_key(self.identity), lambda one: (one.ended(self.query_id), None))
        except (ClientError, BotoCoreError, TooManyWriters) as error:
            self._log.warning("allowance_kept", error_type=type(error).__name__)


def _works(now: QuestionRecord, attempt: int) -> bool:
    return now.status is QuestionStatus.RUNNING and now.attempt == attempt
