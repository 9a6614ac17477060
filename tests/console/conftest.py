"""What tests of the console's modules act on."""

from collections.abc import Iterator

import pytest

from local import console
from tests.browser import Visit, browser, visit


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """The page of a console without a platform: its modules are there all the same."""
    with (
        console.serving(tmp_path_factory.mktemp("nothing")) as url,
        browser() as started,
        visit(started, url) as made,
    ):
        made.open()
        yield made
