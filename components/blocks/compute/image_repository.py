"""ECR repository for a container image. Images are scanned on push, and old images expire.

A stack either names its image by digest, and then all tags are immutable, or runs the tag `latest`, which is then the
only mutable tag.
"""

import json
from dataclasses import dataclass

import pulumi
from pulumi_aws import ecr

from components.blocks.block import Block
from components.blocks.iam.grant import Grant, grant
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope

UNTAGGED_DAYS = 7
KEPT_IMAGES = 10
"""Number of newest images that are kept. In addition, the same number of the newest deployed images is kept. The tags
of deployed images begin with `PINNED_TAG_PREFIX`."""
LATEST = "latest"
PINNED_TAG_PREFIX = "pinned-"
"""Prefix of the tags that mark deployed images, which are the images that a stack file (`Pulumi.<stack>.yaml`) names.
The GitHub workflow `image` sets these tags before it pushes a new image."""


@dataclass(frozen=True)
class ImageRepositoryArgs:
    scope: Scope
    display_name: str
    latest_mutable: bool
    """True if the tag `latest` may move to another image; no other tag ever moves."""


class ImageRepository(Block):
    def __init__(self, short_name: str, args: ImageRepositoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ImageRepository", short_name, args.scope, opts)
        scope = args.scope
        self.name = scope.name(Kind.IMAGE_REPOSITORY, short_name)
        self.arn = scope.context.arn("ecr", f"repository/{self.name}")
        repository = ecr.Repository(
            self.part_name("repository"),
            name=self.name,
            image_tag_mutability="IMMUTABLE_WITH_EXCLUSION" if args.latest_mutable else "IMMUTABLE",
            image_tag_mutability_exclusion_filters=(
                [{"filter": LATEST, "filter_type": "WILDCARD"}] if args.latest_mutable else None
            ),
            image_scanning_configuration={"scan_on_push": True},
            force_delete=not scope.foundation.data.deletion_protection,
            tags=scope.tags(args.display_name),
            opts=self.part_options(),
        )
        ecr.LifecyclePolicy(
            self.part_name("lifecycle"),
            repository=repository.name,
            policy=_lifecycle_policy(),
            opts=self.part_options(),
        )
        self.register_outputs({"name": self.name})

    def image_uri(self, digest: str | None) -> str:
        """Return the URI of an image: by its digest, or by the tag `latest` if no digest is set yet."""
        context = self.scope.context
        address = f"{context.account}.dkr.ecr.{context.region}.{context.dns_suffix}/{self.name}"
        return f"{address}@{digest}" if digest else f"{address}:{LATEST}"

    def grant_pull(self) -> list[Grant]:
        """Return the grants with which a task's execution role pulls images.

        ECR has one authorization token for all repositories.
        """
        actions = ["BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"]
        return [grant("ecr", ["GetAuthorizationToken"], "*"), grant("ecr", actions, self.arn)]


def _lifecycle_policy() -> str:
    rules = [
        {
            "rulePriority": 1,
            "description": "images without a tag",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        },
        # ECR applies only the first rule that selects an image. So the last rule never expires a pinned image, however
        # old it is.
        {
            "rulePriority": 2,
            "description": "all but the newest images that a stack file named",
            "selection": {
                "tagStatus": "tagged",
                "tagPrefixList": [PINNED_TAG_PREFIX],
                "countType": "imageCountMoreThan",
                "countNumber": KEPT_IMAGES,
            },
            "action": {"type": "expire"},
        },
        {
            "rulePriority": 3,
            "description": "all but the newest images",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES},
            "action": {"type": "expire"},
        },
    ]
    return json.dumps({"rules": rules}, sort_keys=True)
