"""Judging beside the program: all of it, in order, however the two take turns."""

import threading
from typing import Any, cast

import pytest

from local.preview.policy_pack_process import Judgement, Pack, PackError, Rule
from local.preview.policy_run import Judging, Watched
from local.preview.preview_provider import PreviewProvider
from local.preview.resource_graph import Graph, Resource
from tests.whole_program import ONE_WORKER, graph

pytestmark = ONE_WORKER


class Slow:
    """A pack that finds something in every resource, and begins when it is let."""

    def __init__(self) -> None:
        self.may_begin = threading.Event()
        self.asked: list[str] = []

    def rules(self) -> list[Rule]:
        assert self.may_begin.wait(20)
        return [Rule("named", "has a name", "advisory")]

    def judge_resource(self, resource: Resource) -> tuple[list[Judgement], list[Any]]:
        self.asked.append(resource.name)
        return [Judgement("named", "advisory", "low", resource.urn, resource.name)], []

    def judge_stack(self, whole: Graph) -> list[Judgement]:
        return [Judgement("whole", "advisory", "low", whole.stack.urn, "")]


def test_every_resource_is_judged_once_and_told_in_the_order_of_the_program() -> None:
    pack, made = Slow(), graph("dev")
    with Judging(cast("Pack", pack)) as judging:
        for one in reversed(made.customs()):
            judging.saw(one)
        rest = judging.ended(made)
        pack.may_begin.set()
        rules, judgements, remediations = rest.result(20)
    assert [one.name for one in rules] == ["named"]
    assert [one.urn for one in judgements] == [*(one.urn for one in made), made.stack.urn]
    assert sorted(pack.asked) == sorted(one.name for one in made)
    assert remediations == []


def test_a_pack_that_fails_fails_the_whole() -> None:
    class Broken(Slow):
        def rules(self) -> list[Rule]:
            raise PackError("no pack is here")

    with Judging(cast("Pack", Broken())) as judging, pytest.raises(PackError, match="no pack is here"):
        judging.ended(graph("dev")).result(20)


def test_a_watched_provider_tells_before_it_makes_and_answers_as_it_did() -> None:
    seen: list[Resource] = []
    provider = Watched(PreviewProvider(), seen.append)
    [one, *_] = graph("dev").customs()
    assert provider.make(one) == ("", {})
    assert seen == [one]
    assert provider.call("aws:index/getRegion:getRegion", {})["region"] == "us-east-1"
