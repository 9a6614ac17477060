"""Which tags of images may move: `latest`, which nothing that was reviewed runs by, and no other."""

import pytest

from guardrails import types as t
from tests.policies.harness import Thing, ask, of_things, policies, surroundings

POLICY = "repository-tags-immutable"
WHERE = surroundings("prod")


def excluding(*tags: str) -> Thing:
    filters = [{"filter": one, "filterType": "WILDCARD"} for one in tags]
    return Thing(
        t.REPOSITORY,
        {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": filters},
    )


@pytest.mark.parametrize(("tags", "found"), [(("latest",), 0), (("v*",), 1), (("latest", "*"), 1), (("lat*",), 1)])
def test_latest_alone_may_become_another_image(tags: tuple[str, ...], found: int) -> None:
    assert len(ask([policies(WHERE)[POLICY]], of_things([excluding(*tags)]), WHERE)) == found
