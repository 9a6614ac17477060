"""Starts the pack. Prints nothing: the port that the SDK prints is how the engine finds this process."""

from guardrails.pack.policy_pack import start

start()
