"""Test of the operator's command `verify` on the local platform, which it uses as it would use a stack on AWS."""

import pytest

from local.flows.flow_registry import FLOWS
from tests.end_to_end.conftest import PlatformUse

pytestmark = [pytest.mark.e2e, pytest.mark.media, pytest.mark.xdist_group("platform")]


@pytest.mark.parametrize("flow", FLOWS)
def test_the_flow_of_each_backend_works(platform_use: PlatformUse, flow: str) -> None:
    lines = platform_use.verification.lines
    assert f"{flow}: works" in lines[-1].split("; "), lines


def test_verify_reports_success_and_does_not_wait_for_the_rows_of_the_next_manifest(
    platform_use: PlatformUse,
) -> None:
    assert platform_use.verification.status == 0
    assert any("after 60 min at most" in step for step in platform_use.verification.steps("ingestion"))
