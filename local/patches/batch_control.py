"""AWS Batch's control plane as deployed: the emulator keeps half of what it is told, and can delete and change nothing.

Retries, timeouts and capabilities of a job definition are kept, revisions can be taken out of use, queues and compute
environments change, and go in the order that AWS asks for. Jobs are `batch_jobs.py`'s business.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from ministack.core import iam_actions
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import batch

from local.iam.corrections import job_resource
from local.patches import reached
from local.patches.batch_rules import refused_definition

Answer = tuple[int, dict[str, str], bytes]
Given = Mapping[str, Any]
TAGS = "/v1/tags/"


class Refused(Exception):
    """A request that is answered with a ClientException."""


def install() -> None:
    """Extends `batch._DISPATCH`, and replaces `batch.handle_request`, which knows no tags, and
    `iam_actions.extract_resource_arn`, which knows no jobs.
    """
    extract = reached(iam_actions, "extract_resource_arn")
    handle = reached(batch, "handle_request")
    known = reached(batch, "_DISPATCH")
    create_queue = known["/v1/createjobqueue"]

    def created(given: Given) -> Any:
        for one in given.get("computeEnvironmentOrder") or []:
            _environment(str(one["computeEnvironment"]))
        answer = create_queue(given)
        if answer[0] == 200:
            queue = _queues()[given["jobQueueName"]]
            queue["jobStateTimeLimitActions"] = given.get("jobStateTimeLimitActions") or []
        return answer

    async def handled(method: str, path: str, headers: Any, body: bytes, query: Mapping[str, Any]) -> Any:
        if path.startswith(TAGS):
            return _guarded(lambda given: _tagged(method, unquote(path[len(TAGS) :]), given, query))(_json(body))
        return await handle(method, path, headers, body, query)

    def resource_or_job(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> str:
        job = job_resource(path, _json(body), *rest[-2:]) if service == "batch" else None
        found: str = job or extract(service, method, path, headers, body, *rest)
        return found

    iam_actions.extract_resource_arn = resource_or_job
    add("createjobqueue", created)
    add("updatejobqueue", _update_queue)
    add("deletejobqueue", _delete_queue)
    add("deletecomputeenvironment", _delete_environment)
    add("registerjobdefinition", _register)
    add("describejobdefinitions", _describe_definitions)
    add("deregisterjobdefinition", _deregister)
    batch.handle_request = handled


def add(operation: str, answering: Callable[[Given], Any]) -> None:
    """Has an operation answered: with a tuple as it is, with a mapping as JSON."""
    reached(batch, "_DISPATCH")[f"/v1/{operation}"] = _guarded(answering)


def definition_of(reference: str) -> dict[str, Any]:
    """A job definition by ARN or name; of one without a revision, the newest that is active."""
    name, _, revision = reference.rpartition("/")[2].partition(":")
    revisions = [one for one in _definitions().get(name) or [] if one["status"] == "ACTIVE"]
    found = [one for one in revisions if revision in {"", str(one["revision"])}]
    if not found:
        raise Refused(f"JobDefinition not found: {reference}")
    newest: dict[str, Any] = found[-1]
    return newest


def queue_of(reference: str) -> dict[str, Any]:
    """A queue by ARN or name."""
    found: dict[str, Any] | None = _queues().get(reference.rpartition("/")[2])
    if found is None:
        raise Refused(f"Job queue {reference} does not exist")
    return found


def environment_of(queue: Given) -> dict[str, Any]:
    """The compute environment of a queue that is used first."""
    first = min(queue["computeEnvironmentOrder"], key=lambda one: int(one["order"]))
    return _environment(str(first["computeEnvironment"]))


def _environment(reference: str) -> dict[str, Any]:
    found: dict[str, Any] | None = _environments().get(reference.rpartition("/")[2])
    if found is None:
        raise Refused(f"Compute environment {reference} does not exist")
    return found


def _update_queue(given: Given) -> Given:
    queue = queue_of(given["jobQueue"])
    for one in given.get("computeEnvironmentOrder") or []:
        _environment(str(one["computeEnvironment"]))
    queue.update({name: value for name, value in given.items() if name != "jobQueue"})
    return {"jobQueueName": queue["jobQueueName"], "jobQueueArn": queue["jobQueueArn"]}


def _delete_queue(given: Given) -> Given:
    queue = queue_of(given["jobQueue"])
    if queue["state"] != "DISABLED":
        raise Refused("Cannot delete, job queue must be disabled first")
    del _queues()[queue["jobQueueName"]]
    return {}


def _delete_environment(given: Given) -> Given:
    environment = _environment(given["computeEnvironment"])
    name, arn = environment["computeEnvironmentName"], environment["computeEnvironmentArn"]
    if environment["state"] != "DISABLED":
        raise Refused("Cannot delete, compute environment must be disabled first")
    used = {str(one["computeEnvironment"]) for queue in _queues().values() for one in queue["computeEnvironmentOrder"]}
    if used & {name, arn}:
        raise Refused("Cannot delete, found existing JobQueue relationship")
    del _environments()[name]
    return {}


def _register(given: Given) -> Given:
    for problem in refused_definition(given):
        raise Refused(problem)
    revisions = _definitions().setdefault(given["jobDefinitionName"], [])
    revision = len(revisions) + 1
    arn = f"arn:aws:batch:{get_region()}:{get_account_id()}:job-definition/{given['jobDefinitionName']}:{revision}"
    kept = {"parameters": {}, "tags": {}, **given, "status": "ACTIVE", "revision": revision, "jobDefinitionArn": arn}
    revisions.append(kept)
    return {name: kept[name] for name in ("jobDefinitionName", "jobDefinitionArn", "revision")}


def _describe_definitions(given: Given) -> Given:
    found = [one for name in list(_definitions()) for one in _definitions()[name]]
    asked = set(given.get("jobDefinitions") or [])
    name, status = given.get("jobDefinitionName"), given.get("status")
    return {
        "jobDefinitions": [
            one
            for one in found
            if (not name or one["jobDefinitionName"] == name)
            and (not status or one["status"] == status)
            and (not asked or asked & {one["jobDefinitionArn"], f"{one['jobDefinitionName']}:{one['revision']}"})
        ]
    }


def _deregister(given: Given) -> Given:
    definition_of(given["jobDefinition"])["status"] = "INACTIVE"
    return {}


def _tagged(method: str, arn: str, given: Given, query: Mapping[str, Any]) -> Given:
    kind = arn.rpartition(":")[2].partition("/")[0]
    owners: dict[str, Callable[[str], dict[str, Any]]] = {"job-queue": queue_of, "compute-environment": _environment}
    owner = owners.get(kind, definition_of)(arn)
    match method:
        case "POST":
            owner["tags"] = {**(owner.get("tags") or {}), **given["tags"]}
        case "DELETE":
            gone = query.get("tagKeys") or []
            names = set(gone if isinstance(gone, list) else [gone])
            owner["tags"] = {key: value for key, value in owner["tags"].items() if key not in names}
    return {"tags": owner.get("tags") or {}} if method == "GET" else {}


def _guarded(answering: Callable[[Given], Any]) -> Callable[[Given], Answer]:
    def answered(given: Given) -> Answer:
        try:
            found = answering(given)
        except Refused as refused:
            answer: Answer = error_response_json("ClientException", str(refused), 400)
            return answer
        return found if isinstance(found, tuple) else reached(batch, "_json")(200, found)

    return answered


def _json(body: bytes) -> Given:
    found: Given = json.loads(body) if body else {}
    return found


def _environments() -> Any:
    return reached(batch, "_compute_envs")


def _queues() -> Any:
    return reached(batch, "_job_queues")


def _definitions() -> Any:
    return reached(batch, "_job_definitions")
