"""Type of settings for the origins of web pages."""

from typing import Annotated

from pydantic import StringConstraints

HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
"""Pattern of a host name: letters, digits, dots and hyphens, with a letter or digit at both ends."""
Origin = Annotated[str, StringConstraints(pattern=rf"^(\*|https?://{HOST}(:[0-9]{{1,5}})?)$")]
"""Origin of a web page that may send requests from a browser, or `*` for any origin."""
