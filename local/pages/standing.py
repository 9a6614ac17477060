"""What all subsystems stand on, as arrows of the foundation's own diagram: access logs, copies, who rings."""

import json
from collections.abc import Iterator, Mapping

from local.graph import Graph
from local.pages.edges import Edge
from local.pages.nodes import Key, Node, Shape, key, nodes

RINGS = {
    "budgets.amazonaws.com": "budgets",
    "cloudwatch.amazonaws.com": "alarms",
    "costalerts.amazonaws.com": "cost anomalies",
    "events.amazonaws.com": "event rules",
}


def standing(graph: Graph) -> Iterator[Edge]:
    """Every such arrow."""
    known = nodes(graph)
    for one in graph.customs():
        match one.kind:
            case "BucketLogging":
                target = known["s3", one.inputs["targetBucket"]]
                yield Edge(known["s3", one.inputs["bucket"]], target, "accesses")
            case "TopicPolicy":
                yield from _ringing(one.inputs["policy"], known)
            case "Selection":
                [chosen] = one.inputs["selectionTags"]
                [vault] = [node for (service, _), node in known.items() if service == "backup"]
                for table in graph.customs():
                    if table.kind == "Table" and table.inputs["tags"].get(chosen["key"]) == chosen["value"]:
                        yield Edge(known["dynamodb", table.inputs["name"]], vault, "a copy a day")


def _ringing(policy: str, known: Mapping[Key, Node]) -> Iterator[Edge]:
    for statement in json.loads(policy)["Statement"]:
        if statement["Effect"] == "Allow":
            for service in statement["Principal"]["Service"]:
                yield Edge(Node("", RINGS[service], Shape.SERVICE), known[key(statement["Resource"])], "ring")
