from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.flight import REMEMBERED, Flight, Standing

MOST = 2


def taken(flight: Flight, utterance: str, overdue_ms: int = 100) -> Flight:
    moved, how = flight.offered(utterance, overdue_ms, MOST)
    assert how.standing is Standing.TAKEN
    return moved


def standing(flight: Flight, utterance: str) -> Standing:
    return flight.offered(utterance, 100, MOST)[1].standing


def test_there_are_only_so_many_places() -> None:
    full = taken(taken(Flight(), "a"), "b")
    assert standing(full, "c") is Standing.BUSY
    assert standing(full.landed("a"), "c") is Standing.TAKEN


def test_an_utterance_that_is_on_its_way_or_was_is_not_taken_again() -> None:
    flight = taken(Flight(), "a")
    assert standing(flight, "a") is Standing.REPEATED
    assert standing(flight.landed("a"), "a") is Standing.REPEATED


def test_only_the_first_call_begins_an_utterance() -> None:
    flight, mine = taken(Flight(), "a").begun("a", now_ms=50, overdue_ms=900)
    assert mine
    assert flight.begun("a", now_ms=51, overdue_ms=900) == (flight, False), "Lambda may call twice"
    assert flight.due_ms == 900, "running has a time of its own"


def test_an_utterance_that_is_overdue_is_not_begun() -> None:
    flight = taken(Flight(), "a", overdue_ms=100)
    assert flight.begun("a", now_ms=100, overdue_ms=900) == (flight, False), "its client may have sent it again"


def test_what_is_overdue_is_lost_once_and_may_be_sent_again() -> None:
    flight = taken(taken(Flight(), "a", 100), "b", 200)
    swept, lost = flight.swept(150)
    assert lost == ("a",)
    assert swept.swept(150)[1] == ()
    moved, how = swept.offered("a", 300, MOST)
    assert how.standing is Standing.TAKEN
    assert how.retried
    assert moved.broken == ()


def test_a_broken_utterance_goes_on_where_its_captions_end() -> None:
    flight = taken(Flight(), "a").broke("a", from_ms=700)
    _, how = flight.offered("a", 300, MOST)
    assert (how.from_ms, how.retried) == (700, True)


def test_who_lost_his_place_changes_nothing_any_more() -> None:
    lost, _ = taken(Flight(), "a", 100).swept(100)
    assert lost.landed("a") == lost
    assert lost.broke("a", 5) == lost


def test_the_first_to_be_lost_decides_when_to_look() -> None:
    assert Flight().due_ms is None
    assert taken(taken(Flight(), "a", 300), "b", 200).due_ms == 200


MOVES = st.lists(
    st.tuples(st.sampled_from(["offer", "begin", "land", "break", "sweep"]), st.sampled_from("abcdef")), max_size=60
)


@given(MOVES)
def test_whatever_happens_places_are_bounded_and_nothing_is_transcribed_twice_at_once(
    moves: list[tuple[str, str]],
) -> None:
    flight, now = Flight(), 0
    running: set[str] = set()
    done: set[str] = set()
    for move, utterance in moves:
        now += 7
        match move:
            case "offer":
                flight, how = flight.offered(utterance, now + 20, MOST)
                assert not (how.standing is Standing.TAKEN and utterance in running | done)
            case "begin":
                flight, mine = flight.begun(utterance, now, now + 30)
                assert not (mine and utterance in running)
                running |= {utterance} if mine else set()
            case "land":
                done |= {utterance} if any(one.utterance == utterance for one in flight.places) else set()
                flight, running = flight.landed(utterance), running - {utterance}
            case "break":
                flight, running = flight.broke(utterance, now), running - {utterance}
            case _:
                flight, lost = flight.swept(now)
                running -= set(lost)
        assert len(flight.places) <= MOST
        assert len({one.utterance for one in flight.places}) == len(flight.places)
        assert not set(flight.done) & {one.utterance for one in flight.broken}


def test_what_is_remembered_is_bounded() -> None:
    flight = Flight()
    for number in range(REMEMBERED * 2):
        flight = taken(flight, f"done-{number}").landed(f"done-{number}")
        flight = taken(flight, f"broken-{number}").broke(f"broken-{number}", 0)
    assert len(flight.done) == len(flight.broken) == REMEMBERED
    assert len(flight.model_dump_json()) < 10_000, "an item of one write unit or a few, never of many"
