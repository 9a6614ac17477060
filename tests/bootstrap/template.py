"""The bootstrap's CloudFormation template, with its parameters, conditions and references resolved for one stack.

A function or reference that is not supported raises an error, because a guess could make a test pass.
"""

import re
from functools import cache
from typing import Any

import yaml

from local import ACCOUNT, REGION, ROOT

TEMPLATE_PATH = ROOT / "bootstrap" / "roles.yaml"
REPOSITORY = "octo-org@123456/octo-repo@456789"
STATE_KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"
DEPLOY_POLICIES = ("ReadCode", "ReadStores", "DeployRoles", "DeployStores", "DeployCode", "DeployTagged", "DeployOther")


class Template:
    """Template with the parameters of one stack."""

    def __init__(self, stack: str, region: str) -> None:
        self.boundary_arn = f"arn:aws:iam::{ACCOUNT}:policy/polyphony-bootstrap/boundary-{stack}"
        state, images = f"polyphony-bootstrap-{stack}-{ACCOUNT}", f"polyphony-{stack}-meetings-media-images"
        names = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": region,
            "AWS::NoValue": None,
            "Stack": stack,
            "Repository": REPOSITORY,
            "ProviderIsThere": "no",
            "Boundary": self.boundary_arn,
            "State": state,
            "State.Arn": f"arn:aws:s3:::{state}",
            "StateKey": STATE_KEY_ARN.rpartition("/")[2],
            "StateKey.Arn": STATE_KEY_ARN,
            "MediaImages.Arn": f"arn:aws:ecr:{region}:{ACCOUNT}:repository/{images}",
            "MediaImages.RepositoryUri": f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/{images}",
            **{f"{role}Role.Arn": f"{role.lower()}-{stack}" for role in ("Preview", "Deploy")},
            **{policy: policy for policy in DEPLOY_POLICIES},
        }
        conditions = {"IsDev": stack == "dev", "MakesProvider": True}

        def construct(loader: yaml.SafeLoader, function: str, node: Any) -> Any:
            is_list = isinstance(node, yaml.SequenceNode)
            value: Any = loader.construct_sequence(node, deep=True) if is_list else loader.construct_scalar(node)
            match function, value:
                case ("Ref" | "GetAtt", name):
                    return names[name]
                case ("Sub", [text, further_names]):
                    return _substitute(text, {**names, **further_names})
                case ("Sub", text):
                    return _substitute(text, names)
                case ("Split", [separator, text]):
                    return text.split(separator)
                case ("Equals", [left, right]):
                    return left == right
                case ("If", [condition, if_true, if_false]):
                    return if_true if conditions[condition] else if_false
            raise AssertionError(f"!{function} is not supported")

        # A separate class, because the constructors of a loader belong to its class.
        loader: Any = type("TemplateLoader", (yaml.SafeLoader,), {})
        loader.add_multi_constructor("!", construct)
        document = yaml.load(TEMPLATE_PATH.read_text(), loader)  # noqa: S506 - a safe loader
        assert document["Conditions"] == conditions
        self.parameters: dict[str, Any] = document["Parameters"]
        self.resources: dict[str, Any] = document["Resources"]
        self.properties = {name: resource.get("Properties", {}) for name, resource in self.resources.items()}
        self.outputs: dict[str, str] = {name: output["Value"] for name, output in document["Outputs"].items()}

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Return the statements of a role, or of a managed policy."""
        properties = self.properties[role]
        attached = [self.properties[policy] for policy in properties.get("ManagedPolicyArns", ())]
        documents = [properties, *properties.get("Policies", ()), *attached]
        statements = [item for part in documents for item in part.get("PolicyDocument", {"Statement": []})["Statement"]]
        return [statement for statement in statements if statement]


def _substitute(text: str, names: dict[str, Any]) -> str:
    """Replace the references of `Sub`. It escapes a literal `${` as `${!`, so `${!*}` becomes IAM's variable `${*}`."""
    return re.sub(r"\$\{([\w:.]+)\}", lambda match: str(names[match[1]]), text).replace("${!", "${")


@cache
def resolve_template(stack: str, region: str = REGION) -> Template:
    """Return the template with the parameters of one stack."""
    return Template(stack, region)
