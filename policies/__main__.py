"""Entry point of the policy pack's process. The program prints nothing, because the engine reads the port number that
the SDK prints to standard output.
"""

from guardrails.pack import start

start()
