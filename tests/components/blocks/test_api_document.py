"""The documentation of an API: its models as they are asked and as they are answered, and one body for all errors."""

import json
import re
from enum import StrEnum
from typing import Annotated, Any

import jsonschema
import pytest
from pydantic import Field, computed_field

from components.blocks.api_document import document
from handlers.common.errors import CommonCode, HandlerError, http_error
from handlers.common.messages import Message
from handlers.common.operations import Operation

pytestmark = pytest.mark.unit


class Order(StrEnum):
    """Which comes first."""

    NEWEST = "newest"
    OLDEST = "oldest"


class Path(Message):
    note_id: Annotated[str, Field(pattern=r"^[0-9]+$")]
    """The note's own name."""


class Query(Message):
    order: Order = Order.NEWEST
    owner_name: str


class Inner(Message):
    word: str = "x"


class Unused(Message):
    word: str


class Note(Message):
    inner_word: Inner
    stars: int = 1

    @computed_field  # type: ignore[prop-decorator]
    @property
    def length(self) -> int:
        """Of its word."""
        return len(self.inner_word.word)


READ = Operation("readNote", "GET", "/notes/{noteId}", "Reads.", parameters=Path, query=Query, answer=Note)
MAKE = Operation("makeNote", "POST", "/notes", "Makes.", body=Note, answer=Note, statuses=(201, 202))
DROP = Operation("dropNote", "DELETE", "/notes/{noteId}", "Drops.", parameters=Path, statuses=(204,))


def documented(*operations: Operation) -> dict[str, Any]:
    return document("Notes", "2", operations or (READ, MAKE, DROP))


def test_every_operation_is_at_its_path_and_method() -> None:
    found = documented()
    assert (found["openapi"], found["info"]) == ("3.1.0", {"title": "Notes", "version": "2"})
    where = {one["operationId"]: (path, verb) for path, verbs in found["paths"].items() for verb, one in verbs.items()}
    assert where == {
        "readNote": ("/notes/{noteId}", "get"),
        "dropNote": ("/notes/{noteId}", "delete"),
        "makeNote": ("/notes", "post"),
    }
    assert found["paths"]["/notes"]["post"]["summary"] == "Makes."


def test_parameters_are_written_out_by_their_outside_names() -> None:
    parameters = {one["name"]: one for one in documented()["paths"]["/notes/{noteId}"]["get"]["parameters"]}
    assert {name: (one["in"], one["required"]) for name, one in parameters.items()} == {
        "noteId": ("path", True),
        "order": ("query", False),
        "ownerName": ("query", True),
    }
    assert parameters["noteId"]["description"] == "The note's own name."
    assert parameters["noteId"]["schema"]["pattern"] == "^[0-9]+$"
    assert parameters["order"]["schema"]["$ref"] == "#/components/schemas/Order"


def test_a_model_is_told_as_it_is_asked_and_as_it_is_answered() -> None:
    found = documented()
    operation = found["paths"]["/notes"]["post"]
    asked = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    answered = operation["responses"]["201"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schemas = found["components"]["schemas"]
    assert set(schemas[asked]["properties"]) == {"innerWord", "stars"}
    assert set(schemas[answered]["properties"]) == {"innerWord", "stars", "length"}
    assert operation["requestBody"]["required"] is True


def test_good_answers_are_those_of_the_table() -> None:
    paths = documented()["paths"]
    assert set(paths["/notes"]["post"]["responses"]) == {"201", "202", "default"}
    dropped = paths["/notes/{noteId}"]["delete"]["responses"]
    assert dropped["204"] == {"description": "Done; there is nothing to say."}


def test_every_error_has_the_body_that_handlers_answer_with() -> None:
    found = documented()
    operations = [one for path in found["paths"].values() for one in path.values()]
    assert {one["responses"]["default"]["$ref"] for one in operations} == {"#/components/responses/Error"}
    error = found["components"]["responses"]["Error"]["content"]["application/json"]["schema"]
    schema = {**error, "components": found["components"]}
    answer = http_error(HandlerError(CommonCode.MALFORMED, "no"), "r-1")
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(json.loads(str(answer["body"])))
    assert not validator.is_valid({"code": "X", "message": "no", "fields": []}), "its request has an id"


def test_nothing_is_in_it_that_nobody_refers_to_and_nothing_is_missing() -> None:
    found = documented()
    text = json.dumps(found)
    for name in found["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text
    assert not {"Path", "Query", "Unused"} & set(found["components"]["schemas"])
    for reference in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert reference in found["components"]["schemas"]


def other(**changes: Any) -> Operation:
    given = {"name": "other", "method": "GET", "path": "/others", "summary": "Other."}
    return Operation(**{**given, **changes})


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (other(name="readNote"), "another operation"),
        (other(path="/notes/{noteId}", parameters=Path), "another operation"),
        (other(path="/others/{otherId}"), "differ in otherId"),
        (other(parameters=Path), "differ in noteId"),
        (other(body=Note), "a GET has no body"),
        (other(path="/notes/{other}/more", parameters=None), "differ in other"),
    ],
    ids=["name", "place", "no model", "no place", "body", "unnamed"],
)
def test_a_table_that_cannot_be_served_is_refused(wrong: Operation, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        documented(READ, wrong)


def test_a_place_in_paths_has_one_name() -> None:
    class OtherPath(Message):
        other: str

    wrong = other(path="/notes/{other}/more", parameters=OtherPath)
    with pytest.raises(ValueError, match=r"says \{noteId\} for \{other\}"):
        documented(READ, wrong)
    fine = other(path="/others/{other}", parameters=OtherPath)
    assert "/others/{other}" in documented(READ, fine)["paths"]
