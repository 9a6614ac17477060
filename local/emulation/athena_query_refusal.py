"""Refuses Athena queries, because the emulator would answer each query with an invented row.

To read data, the emulator needs DuckDB, which is not installed here.
"""

from collections.abc import Mapping
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import athena

from local.emulation import wrap_function

MESSAGE = "The local platform has no Athena. To see the rows of an ingested file, open the page of `make console`."


def install() -> None:
    wrap_function(athena, "_start_query_execution", _refuse_query)


def _refuse_query(_original: object, _request: Mapping[str, Any]) -> Any:
    return error_response_json("InvalidRequestException", MESSAGE)
