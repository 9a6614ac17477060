"""The bootstrap's template as CloudFormation resolves it for one stack: parameters, conditions and references in place.

Only what the template uses is understood; anything else stops a test, because a guess would make it pass.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from local import ROOT
from local.preview.preview_provider import ACCOUNT, REGION

PATH = ROOT / "bootstrap" / "roles.yaml"
REPOSITORY = "octo-org@123456/octo-repo@456789"
PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", "AWS::Region": REGION}
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"


class _Tags(yaml.SafeLoader):
    """Reads `!Sub x` as `{"Sub": x}`."""


def _tagged(loader: _Tags, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    assert isinstance(node, yaml.SequenceNode)
    return {name: loader.construct_sequence(node, deep=True)}


_Tags.add_multi_constructor("!", _tagged)


@cache
def raw() -> dict[str, Any]:
    """The template as it is written."""
    found: dict[str, Any] = yaml.load(PATH.read_text(), _Tags)  # noqa: S506 - a safe loader with tags as data
    return found


class Deployed:
    """The template, deployed for one stack."""

    def __init__(self, stack: str, region: str) -> None:
        self._given = {
            **PSEUDO,
            "AWS::Region": region,
            "Stack": stack,
            "Repository": REPOSITORY,
            "ProviderIsThere": "no",
        }
        self.resources: dict[str, Any] = {
            name: {**one, "Properties": self._resolved(one.get("Properties", {}))}
            for name, one in raw()["Resources"].items()
        }
        self.outputs = {name: self._resolved(one["Value"]) for name, one in raw()["Outputs"].items()}

    def documents(self, role: str) -> list[dict[str, Any]]:
        """Everything that a role is granted here."""
        properties = self.resources[role]["Properties"]
        inline = [one["PolicyDocument"] for one in properties.get("Policies", ())]
        attached = [
            document for name, document in self.managed() if self._ref(name) in properties.get("ManagedPolicyArns", ())
        ]
        assert len(attached) == len(properties.get("ManagedPolicyArns", ()))
        return [*inline, *attached]

    def trust(self, role: str) -> dict[str, Any]:
        """Who may take a role."""
        [statement] = self.resources[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        found: dict[str, Any] = statement
        return found

    @property
    def boundary(self) -> dict[str, Any]:
        """The most that a role of the program may do."""
        found: dict[str, Any] = self.resources["Boundary"]["Properties"]["PolicyDocument"]
        return found

    @property
    def boundary_arn(self) -> str:
        """What roles name as theirs."""
        return self._ref("Boundary")

    def managed(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every managed policy with its document."""
        for name, one in self.resources.items():
            if one["Type"] == "AWS::IAM::ManagedPolicy":
                yield name, one["Properties"]["PolicyDocument"]

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [one for inner in value if (one := self._resolved(inner)) is not None]
        if not isinstance(value, dict):
            return value
        match list(value.items()):
            case [("Ref", "AWS::NoValue")]:
                return None
            case [("Ref", str(name))]:
                return self._ref(name)
            case [("Sub", str(text))]:
                return re.sub(r"\$\{([\w:.]+)\}", lambda found: self._named(found[1]), text)
            case [("GetAtt", str(name))]:
                return self._named(name)
            case [("If", [str(condition), yes, no])]:
                return self._resolved(yes if self._holds(condition) else no)
        return {key: self._resolved(inner) for key, inner in value.items()}

    def _holds(self, condition: str) -> bool:
        [(kind, [left, right])] = raw()["Conditions"][condition].items()
        assert kind == "Equals"
        return bool(self._resolved(left) == right)

    def _named(self, name: str) -> str:
        return self._attribute(name) if "." in name else self._ref(name)

    def _ref(self, name: str) -> str:
        if name in self._given:
            return self._given[name]
        one = raw()["Resources"][name]
        match one["Type"]:
            case "AWS::IAM::ManagedPolicy":
                properties = {
                    key: self._resolved(inner) for key, inner in one["Properties"].items() if key != "PolicyDocument"
                }
                return f"arn:aws:iam::{ACCOUNT}:policy{properties['Path']}{properties['ManagedPolicyName']}"
            case "AWS::S3::Bucket":
                return str(self._resolved(one["Properties"]["BucketName"]))
            case "AWS::KMS::Key":
                return KEY.rpartition("/")[2]
        raise KeyError(f"what a reference to {name} gives is not modelled")

    def _attribute(self, name: str) -> str:
        resource, attribute = name.split(".")
        assert attribute == "Arn", name
        one = raw()["Resources"][resource]
        match one["Type"]:
            case "AWS::S3::Bucket":
                return f"arn:aws:s3:::{self._ref(resource)}"
            case "AWS::KMS::Key":
                return KEY
            case "AWS::IAM::Role":
                properties = one["Properties"]
                return f"arn:aws:iam::{ACCOUNT}:role{properties['Path']}{self._resolved(properties['RoleName'])}"
        raise KeyError(f"{name} is not modelled")


@cache
def deployed(stack: str, region: str = REGION) -> Deployed:
    """The template for one stack."""
    return Deployed(stack, region)
