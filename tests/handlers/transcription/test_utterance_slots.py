from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.utterance_slots import REMEMBERED, Flight, Standing

MOST = 2


def taken(flight: Flight, utterance: str, overdue_ms: int = 100) -> Flight:
    moved, how = flight.offered(utterance, overdue_ms, MOST, 0)
    assert how.standing is Standing.TAKEN
    return moved


def test_only_the_first_call_begins_an_utterance() -> None:
    flight, mine = taken(Flight(), "a").begun("a", 1, now_ms=50, overdue_ms=900)
    assert mine
    assert flight.begun("a", 1, now_ms=51, overdue_ms=900) == (flight, False), "Lambda may call twice"
    assert flight.due_ms == 900, "running has a time of its own"
    late = taken(Flight(), "a", overdue_ms=100)
    assert late.begun("a", 1, now_ms=100, overdue_ms=900) == (late, False), "its client may have sent it again"


def test_what_is_overdue_is_lost_once_and_may_be_sent_again() -> None:
    flight = taken(taken(Flight(), "a", 100), "b", 200)
    swept, lost = flight.swept(150)
    assert lost == ("a",)
    assert swept.swept(150)[1] == ()
    _, how = swept.offered("a", 300, MOST, 200)
    assert (how.standing, how.attempts) == (Standing.TAKEN, 2)


def test_an_attempt_that_was_overtaken_changes_nothing_any_more() -> None:
    """A processor that hung comes back while another works on the same utterance."""
    lost, _ = taken(Flight(), "a", 100).swept(100)
    again = taken(lost, "a", 300)
    assert again.holds("a", 2)
    assert not again.holds("a", 1)
    assert again.landed("a", 1) == again
    assert again.broke("a", 1, 5) == again
    assert again.begun("a", 1, 200, 900) == (again, False)


def test_an_attempt_that_never_began_leaves_no_trace() -> None:
    flight, gone = taken(Flight(), "a").given_back("a", 1)
    assert gone
    assert (flight.places, flight.broken) == ((), ())
    _, how = flight.offered("a", 300, MOST, 200)
    assert how.attempts == 1


def test_an_attempt_that_began_keeps_its_place_whatever_its_caller_heard() -> None:
    running, _ = taken(Flight(), "a").begun("a", 1, now_ms=50, overdue_ms=900)
    assert running.given_back("a", 1) == (running, False)
    done = running.landed("a", 1)
    assert done.given_back("a", 1) == (done, False)


def test_attempts_at_an_utterance_are_counted_until_it_is_done_and_go_on_where_its_captions_end() -> None:
    flight = taken(taken(Flight(), "a").broke("a", 1, 0), "a").broke("a", 2, 700)
    flight, how = flight.offered("a", 300, MOST, 200)
    assert (how.from_ms, how.attempts) == (700, 3)
    assert flight.offered("a", 300, MOST, 200)[1].standing is Standing.REPEATED
    full = taken(flight, "b")
    assert full.offered("c", 300, MOST, 200)[1].standing is Standing.BUSY
    landed = full.landed("a", 3)
    assert landed.broken == ()
    assert landed.offered("a", 300, MOST, 200)[1].standing is Standing.REPEATED
    assert landed.offered("c", 300, MOST, 200)[1].standing is Standing.TAKEN


def test_the_first_to_be_lost_decides_when_to_look() -> None:
    assert Flight().due_ms is None
    assert taken(taken(Flight(), "a", 300), "b", 200).due_ms == 200


def test_addresses_are_few_within_a_time() -> None:
    flight, first = Flight().directed(0, 1, 100)
    assert first
    assert flight.directed(99, 1, 100) == (flight, False)
    assert flight.directed(100, 1, 100)[1]


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["offer", "begin", "land", "break", "back", "move", "sweep"]),
        st.sampled_from("abcdef"),
        st.integers(0, 3),
    ),
    max_size=60,
)


@given(MOVES)
def test_whatever_happens_places_are_bounded_and_one_attempt_at_a_time_holds(
    moves: list[tuple[str, str, int]],
) -> None:
    flight, now = Flight(), 0
    running: dict[str, int] = {}
    done: set[str] = set()
    for move, utterance, back in moves:
        now += 7
        attempt = max(1, flight.attempt - back)  # any call may be late
        held = flight.holds(utterance, attempt)
        match move:
            case "offer":
                flight, how = flight.offered(utterance, now + 20, MOST, now)
                assert not (how.standing is Standing.TAKEN and (utterance in running or utterance in done))
            case "begin":
                flight, mine = flight.begun(utterance, attempt, now, now + 30)
                assert not (mine and utterance in running)
                running |= {utterance: attempt} if mine else {}
            case "land":
                done |= {utterance} if held else set()
                flight = flight.landed(utterance, attempt, failed=bool(now % 2))
            case "break":
                flight = flight.broke(utterance, attempt, now)
            case "back":
                flight, gone = flight.given_back(utterance, attempt)
                assert not (gone and running.get(utterance) == attempt)
            case "move":
                flight = flight.opened(f"c{now}", (utterance,))
                done -= {utterance}
            case _:
                flight, _ = flight.swept(now)
        running = {one: which for one, which in running.items() if flight.holds(one, which)}
        assert len(flight.places) <= MOST
        assert len({one.utterance for one in flight.places}) == len(flight.places)
        assert set(flight.failed) <= set(flight.done)
        assert not set(flight.done) & {one.utterance for one in flight.broken}


def test_what_is_remembered_is_bounded() -> None:
    flight = Flight()
    for number in range(REMEMBERED * 2):
        flight = taken(flight, f"done-{number}")
        flight = flight.landed(f"done-{number}", flight.attempt, failed=True)
        flight = taken(flight, f"broken-{number}")
        flight = flight.broke(f"broken-{number}", flight.attempt, 0)
    assert len(flight.done) == len(flight.failed) == len(flight.broken) == REMEMBERED
    assert len(flight.model_dump_json()) < 10_000, "an item of a few write units, never of many"
