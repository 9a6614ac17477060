"""Type and maximum of the environment variable `SWEEP_SECONDS`: the time after which a sweep starts no further work.

A sweep is a scheduled run of a Lambda function that completes unfinished work (`sweep_loop`). The components of the
Pulumi program import this module, so it imports no package except pydantic (`environment`).
"""

from typing import Annotated

from pydantic import Field

MAX_SWEEP_SECONDS = 840
"""One minute less than Lambda's maximum timeout."""
SweepSeconds = Annotated[int, Field(ge=1, le=MAX_SWEEP_SECONDS)]
