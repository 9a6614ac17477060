"""Refuses Athena queries. The emulator would answer each with an invented row, because its query engine (DuckDB) is not
installed.
"""

from collections.abc import Mapping
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import athena

from local.emulation import wrap_function

MESSAGE = "Athena does not run here; `make console` shows the rows of a file"


def install() -> None:
    """Replace `athena._start_query_execution`."""
    wrap_function(athena, "_start_query_execution", _refuse_query)


def _refuse_query(_original: object, _request: Mapping[str, Any]) -> Any:
    return error_response_json("InvalidRequestException", MESSAGE)
