"""Registries of images. No image is ever pushed to them here: which program one holds, a table says."""

from local.platform.drivers.model import Call, Driver, Known, Made, answered
from local.preview.preview_provider import ACCOUNT, REGION

TAGGED = Call("TagResource", {"resourceArn": "arn", "tags": "tags"})
POLICY = Call("PutLifecyclePolicy", {"repositoryName": "repository", "lifecyclePolicyText": "policy"})


def _url(known: Known) -> str:
    """As AWS has it: the emulator's own names this machine, and job definitions hold it."""
    return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{known['name']}"


DRIVERS = (
    Driver(
        type="aws:ecr/repository:Repository",
        service="ecr",
        create=(
            Call(
                "CreateRepository",
                {
                    "repositoryName": "name",
                    "imageTagMutability": "imageTagMutability",
                    "imageTagMutabilityExclusionFilters": "imageTagMutabilityExclusionFilters",
                    "imageScanningConfiguration": "imageScanningConfiguration",
                    "encryptionConfiguration": "encryptionConfigurations",
                    "tags": "tags",
                },
            ),
        ),
        update=(
            Call(
                "PutImageTagMutability",
                {
                    "repositoryName": "name",
                    "imageTagMutability": "imageTagMutability",
                    "imageTagMutabilityExclusionFilters": "imageTagMutabilityExclusionFilters",
                },
            ),
            Call(
                "PutImageScanningConfiguration",
                {"repositoryName": "name", "imageScanningConfiguration": "imageScanningConfiguration"},
            ),
            TAGGED,
        ),
        delete=(Call("DeleteRepository", {"repositoryName": "name"}),),
        id="name",
        outputs={
            "arn": answered("CreateRepository", "repository.repositoryArn"),
            "registryId": answered("CreateRepository", "repository.registryId"),
            "repositoryUrl": Made(_url),
        },
        ignored={"forceDelete": "not a trait of the repository: it says what a removal may do"},
    ),
    Driver(
        type="aws:ecr/lifecyclePolicy:LifecyclePolicy",
        service="ecr",
        create=(POLICY,),
        update=(POLICY,),
        delete=(Call("DeleteLifecyclePolicy", {"repositoryName": "repository"}),),
        id="repository",
    ),
)
