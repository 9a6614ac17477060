"""Commands for a developer's machine: previews without an AWS account, and the local platform on an AWS emulator.

Every command imports this module first. It contains the constants that all commands share, and the base class of their
errors. After its import, the policy pack's modules (`guardrails`) can be imported, too.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""Folder of the repository."""
LOOPBACK = "127.0.0.1"
"""Every server of the local platform listens on this address only."""
ACCOUNT = "123456789012"
"""Account id in previews and of the local platform."""
REGION = "us-east-1"
"""Region in previews and of the local platform."""

# The folder of the policy pack is not below `local`. The cost report, for example, uses the pack's price rules.
if str(ROOT / "policies") not in sys.path:
    sys.path.append(str(ROOT / "policies"))


class CannotRun(Exception):
    """A command cannot run. The message states the reason and the remedy."""
