"""Tests of the reference pages that list the decisions of the components: each alarm, and each permission of each role.

A change of a component changes these pages, so a reviewer sees it in them.
"""

import pytest

from local.generate import generated_files
from tests.whole_program import ONE_WORKER_FOR_DOCUMENTS

pytestmark = ONE_WORKER_FOR_DOCUMENTS
PAGES = ("alarms", "permissions")


@pytest.mark.parametrize("page", PAGES)
def test_the_page_shows_the_planned_resources(page: str) -> None:
    path = f"docs/reference/{page}.md"
    assert generated_files.find_stale_files({path: generated_files.FILES[path]}) == [], "run `make docs`"
