"""States beside tasks: waits, and the same states for each item of a list, held to the same rules."""

import json
from typing import Any

import pytest
from statelint.linter import Linter

from components.blocks.states import Catch, Fail, Map, Pass, State, Succeed, Wait, definition


def each(start: str = "Rest", **inside: State) -> Map:
    states: dict[str, State] = {"Rest": Wait(30, "Rested"), "Rested": Succeed(), **inside}
    return Map("{% $states.input.parts %}", start, states, 5, to="Done", catches=[Catch("Failed")])


def built(one: Map) -> dict[str, Any]:
    states: dict[str, State] = {"Each": one, "Done": Succeed(), "Failed": Fail("Bad", "It failed.")}
    found: dict[str, Any] = json.loads(definition("test", "Each", states, 600))
    return found


def test_a_definition_with_both_passes_the_linter() -> None:
    assert Linter.validate(built(each())) == []


def test_a_wait_is_so_many_seconds_and_goes_on() -> None:
    assert Wait(30, "Next").definition() == {"Type": "Wait", "Seconds": 30, "Next": "Next"}
    assert Wait("{% $pause %}", "Next").definition() == {"Type": "Wait", "Seconds": "{% $pause %}", "Next": "Next"}


def test_a_state_may_do_nothing_but_remember() -> None:
    assert Pass({"pause": 30}, "Next").definition() == {"Type": "Pass", "Assign": {"pause": 30}, "Next": "Next"}


def test_a_map_works_on_some_items_at_once_and_one_failure_is_all_of_its() -> None:
    found = built(each())["States"]["Each"]
    assert (found["Items"], found["MaxConcurrency"], found["Next"]) == ("{% $states.input.parts %}", 5, "Done")
    assert found["ItemProcessor"]["ProcessorConfig"] == {"Mode": "INLINE"}
    assert [one["Next"] for one in found["Catch"]] == ["Failed"]


def test_a_state_inside_leads_to_one_inside() -> None:
    with pytest.raises(ValueError, match="no state Done; there are Rest, Rested"):
        built(each(Rest=Wait(30, "Done")))


def test_a_state_inside_that_nothing_leads_to_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing leads to Lost"):
        built(each(Lost=Succeed()))


def test_a_map_begins_with_a_state_of_its_own() -> None:
    with pytest.raises(ValueError, match="no state Done"):
        built(each("Done"))
