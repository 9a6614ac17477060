"""Resources of the livestream backend, which checks the facts in episodes (recorded broadcasts)."""
