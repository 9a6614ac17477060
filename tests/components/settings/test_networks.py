"""Networks that are built: addresses that AWS takes and subnets fit in, each zone once."""

from typing import Any

import pytest

from tests.components.settings.test_loader import config, problems
from tests.engine import FOUNDATION


@pytest.mark.parametrize("section", ["foundation", "meetings"])
@pytest.mark.parametrize(
    ("network", "says"),
    [
        ({"cidr": "10.65.1.0/16"}, "10.65.1.0/16 is no network"),
        ({"cidr": "300.1.0.0/16"}, "300.1.0.0/16 is no network"),
        ({"cidr": "8.8.0.0/16"}, "8.8.0.0/16 is public"),
        ({"cidr": "127.0.0.0/16"}, "private (10/8, 172.16/12, 192.168/16)"),
        ({"cidr": "10.65.0.0/20"}, "cidr is a network of /16"),
        ({"zones": ["a", "a"]}, "zones names each zone once"),
        ({"zones": []}, "network.zones"),
        ({"zones": ["g"]}, "network.zones"),
    ],
)
def test_a_network_that_could_not_be_built_is_refused(section: str, network: dict[str, Any], says: str) -> None:
    given: dict[str, dict[str, Any]] = {"foundation": FOUNDATION, "meetings": {"enabled": False}}
    given[section] = {**given[section], "network": network}
    [problem] = problems(config(**given))
    assert f"{section}.network" in problem
    assert says in problem
