"""Tests of the base class of error codes: a code is sent to clients as text, and always has an explanation."""

import json
from enum import StrEnum

import pytest

from handlers.common.error_codes import ErrorCode


class SampleCode(ErrorCode):
    FULL = ("FULL", "There is no more room.", "Remove something.", 409)
    LATE = ("LATE", "The time is over.", "Be earlier.")


def test_a_code_is_the_text_that_clients_get() -> None:
    assert SampleCode.FULL == "FULL"
    assert json.dumps({"code": SampleCode.FULL}) == '{"code": "FULL"}'
    assert SampleCode["LATE"] is SampleCode.LATE
    assert isinstance(SampleCode.FULL, StrEnum)


def test_a_code_has_a_meaning_an_action_and_a_status() -> None:
    assert (SampleCode.FULL.meaning, SampleCode.FULL.action) == ("There is no more room.", "Remove something.")
    assert (SampleCode.FULL.status, SampleCode.LATE.status) == (409, 400)


def test_a_code_without_an_explanation_cannot_be_defined() -> None:
    with pytest.raises(TypeError, match="meaning"):

        class BareCode(ErrorCode):
            FULL = "FULL"
