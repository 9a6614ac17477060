"""Commands for a developer's machine: previews without an AWS account, and the platform on an AWS emulator.

This module contains the repository's root, the address of all local servers, and the base class of the commands'
errors. Importing it makes the policy pack's modules importable.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""Folder of the repository."""
LOOPBACK = "127.0.0.1"
"""Every server of the local platform listens on this address only."""

# The policy pack is imported from its own folder, and the cost report uses its price model.
if str(ROOT / "policies") not in sys.path:
    sys.path.append(str(ROOT / "policies"))


class CannotRun(Exception):
    """A command cannot run. The message states the reason and the remedy."""
