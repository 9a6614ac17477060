"""The bootstrap's CloudFormation template, with parameters, conditions and references resolved for one stack.

The template creates what a deployment of the stack needs beforehand: the deploy role, the preview role, the permissions
boundary of the program's roles, and the bucket and key of Pulumi's state.

Only features that the template uses are supported. Any other feature raises an error, because a guess could make a test
pass.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from local import ROOT
from local.preview.preview_provider import ACCOUNT, REGION

TEMPLATE_PATH = ROOT / "bootstrap" / "roles.yaml"
REPOSITORY = "octo-org@123456/octo-repo@456789"
PSEUDO_PARAMETERS = {"AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", "AWS::Region": REGION}
STATE_KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"


class _TagLoader(yaml.SafeLoader):
    """YAML loader that reads `!Sub x` as `{"Sub": x}`."""


def _construct_tagged_value(loader: _TagLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    assert isinstance(node, yaml.SequenceNode)
    return {name: loader.construct_sequence(node, deep=True)}


_TagLoader.add_multi_constructor("!", _construct_tagged_value)


@cache
def template() -> dict[str, Any]:
    """Return the template as written."""
    document: dict[str, Any] = yaml.load(TEMPLATE_PATH.read_text(), _TagLoader)  # noqa: S506 - a safe loader with tags as data
    return document


class ResolvedTemplate:
    """Template with the parameters of one stack."""

    def __init__(self, stack: str, region: str) -> None:
        self._parameters = {
            **PSEUDO_PARAMETERS,
            "AWS::Region": region,
            "Stack": stack,
            "Repository": REPOSITORY,
            "ProviderIsThere": "no",
        }
        self.resources: dict[str, Any] = {
            name: {**resource, "Properties": self._resolve(resource.get("Properties", {}))}
            for name, resource in template()["Resources"].items()
        }
        self.outputs = {name: self._resolve(output["Value"]) for name, output in template()["Outputs"].items()}

    def documents(self, role: str) -> list[dict[str, Any]]:
        """Return all policy documents of a role."""
        properties = self.resources[role]["Properties"]
        inline = [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
        attached = [
            document
            for name, document in self.managed_policies()
            if self._resolve_ref(name) in properties.get("ManagedPolicyArns", ())
        ]
        assert len(attached) == len(properties.get("ManagedPolicyArns", ()))
        return [*inline, *attached]

    def trust(self, role: str) -> dict[str, Any]:
        """Return the trust statement of a role."""
        [statement] = self.resources[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        trust: dict[str, Any] = statement
        return trust

    @property
    def boundary(self) -> dict[str, Any]:
        """Policy document of the permissions boundary for the program's roles."""
        document: dict[str, Any] = self.resources["Boundary"]["Properties"]["PolicyDocument"]
        return document

    @property
    def boundary_arn(self) -> str:
        """ARN of the permissions boundary."""
        return self._resolve_ref("Boundary")

    def managed_policies(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield name and document of every managed policy."""
        for name, resource in self.resources.items():
            if resource["Type"] == "AWS::IAM::ManagedPolicy":
                yield name, resource["Properties"]["PolicyDocument"]

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [resolved for item in value if (resolved := self._resolve(item)) is not None]
        if not isinstance(value, dict):
            return value
        match list(value.items()):
            case [("Ref", "AWS::NoValue")]:
                return None
            case [("Ref", str(name))]:
                return self._resolve_ref(name)
            case [("Sub", str(text))]:
                return self._substitute(text, {})
            case [("Sub", [str(text), dict(names)])]:
                return self._substitute(text, {name: self._resolve(item) for name, item in names.items()})
            case [("Split", [str(delimiter), text])]:
                return self._resolve(text).split(delimiter)
            case [("GetAtt", str(name))]:
                return self._resolve_reference(name)
            case [("If", [str(condition), if_true, if_false])]:
                return self._resolve(if_true if self._is_condition_true(condition) else if_false)
        return {key: self._resolve(item) for key, item in value.items()}

    def _substitute(self, text: str, names: dict[str, str]) -> str:
        """Return the text of `Sub` with its references replaced.

        `Sub` escapes a literal `${` as `${!`, so `${!*}` becomes IAM's variable `${*}`.
        """
        replaced = re.sub(
            r"\$\{([\w:.]+)\}", lambda match: names.get(match[1]) or self._resolve_reference(match[1]), text
        )
        return replaced.replace("${!", "${")

    def _is_condition_true(self, condition: str) -> bool:
        [(kind, [left, right])] = template()["Conditions"][condition].items()
        assert kind == "Equals"
        return bool(self._resolve(left) == right)

    def _resolve_reference(self, name: str) -> str:
        return self._resolve_attribute(name) if "." in name else self._resolve_ref(name)

    def _resolve_ref(self, name: str) -> str:
        if name in self._parameters:
            return self._parameters[name]
        resource = template()["Resources"][name]
        match resource["Type"]:
            case "AWS::IAM::ManagedPolicy":
                properties = {
                    key: self._resolve(item) for key, item in resource["Properties"].items() if key != "PolicyDocument"
                }
                return f"arn:aws:iam::{ACCOUNT}:policy{properties['Path']}{properties['ManagedPolicyName']}"
            case "AWS::S3::Bucket":
                return str(self._resolve(resource["Properties"]["BucketName"]))
            case "AWS::KMS::Key":
                return STATE_KEY_ARN.rpartition("/")[2]
        raise KeyError(f"the result of a reference to {name} is not supported; add its resource type here")

    def _resolve_attribute(self, name: str) -> str:
        logical_id, attribute = name.split(".")
        assert attribute == "Arn", name
        resource = template()["Resources"][logical_id]
        match resource["Type"]:
            case "AWS::S3::Bucket":
                return f"arn:aws:s3:::{self._resolve_ref(logical_id)}"
            case "AWS::KMS::Key":
                return STATE_KEY_ARN
            case "AWS::IAM::Role":
                properties = resource["Properties"]
                return f"arn:aws:iam::{ACCOUNT}:role{properties['Path']}{self._resolve(properties['RoleName'])}"
        raise KeyError(f"the attribute {name} is not supported; add its resource type here")


@cache
def resolve_template(stack: str, region: str = REGION) -> ResolvedTemplate:
    """Return the template with the parameters of one stack."""
    return ResolvedTemplate(stack, region)
