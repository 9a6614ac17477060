"""Type and maximum of the environment variable `SWEEP_SECONDS`, which is a sweep's time budget.

A sweep starts no further work after this time. Components import this module, so it imports no package but pydantic
(see `environment.py`).
"""

from typing import Annotated

from pydantic import Field

MAX_SWEEP_SECONDS = 840
"""Maximum time budget of a sweep: one minute less than Lambda's maximum timeout."""
SweepSeconds = Annotated[int, Field(ge=1, le=MAX_SWEEP_SECONDS)]
"""Type of a field for the time budget of a sweep."""
