"""Ingestion's settings: who may drop files from a browser."""

from typing import Any

import pytest

from components.settings import load
from tests.components.settings.test_loader import config, problems
from tests.engine import FOUNDATION

PAGE = "https://app.example.com"


def stack(origin: str | None, environment: str = "dev") -> dict[str, str]:
    identity: dict[str, Any] = {"auth": "oidc", "issuer": "https://login.example.com/", "audience": "polyphony"}
    foundation = {**FOUNDATION, "identity": identity}
    return config(foundation, environment=environment, ingestion={"intake": {"corsOrigin": origin}})


def test_in_prod_the_page_is_named_or_there_is_none() -> None:
    assert problems(stack("*", "prod")) == [
        'ingestion.intake.corsOrigin = "*": the page that may drop files, by name, in prod; or nothing'
    ]
    for origin in (PAGE, None):
        assert load(stack(origin, "prod"), "prod").ingestion.intake.cors_origin == origin
    assert load(stack("*"), "dev").ingestion.intake.cors_origin == "*"


def test_no_page_is_the_default() -> None:
    assert load(config(), "dev").ingestion.intake.cors_origin is None


@pytest.mark.parametrize("origin", ["app.example.com", "https://app.example.com/", "https://*.example.com", "null"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    [problem] = problems(stack(origin))
    assert problem.startswith("ingestion.intake.corsOrigin = ")
