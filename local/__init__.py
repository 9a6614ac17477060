"""The platform on this machine: previews of any stack without an account, and the whole of it against an emulator."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK = "127.0.0.1"
"""Where everything listens, and nowhere else."""

# The policy pack is self-contained, so its folder is an import root of its own. The cost report reads its pricing.
if str(ROOT / "policies") not in sys.path:
    sys.path.append(str(ROOT / "policies"))


class CannotRun(Exception):
    """A command cannot do what it is for; the message says why, and what to mend."""
