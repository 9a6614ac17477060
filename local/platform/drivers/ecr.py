"""Registries of images. No image is ever pushed to them here: which program one holds, a table says."""

from local.platform.drivers.model import ComputedValue, Driver, DriverCall, ResourceValues, from_response
from local.preview.preview_provider import ACCOUNT, REGION

TAGGED = DriverCall("TagResource", {"resourceArn": "arn", "tags": "tags"})
POLICY = DriverCall("PutLifecyclePolicy", {"repositoryName": "repository", "lifecyclePolicyText": "policy"})


def _url(known: ResourceValues) -> str:
    """As AWS has it: the emulator's own names this machine, and job definitions hold it."""
    return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{known['name']}"


DRIVERS = (
    Driver(
        type="aws:ecr/repository:Repository",
        service="ecr",
        create=(
            DriverCall(
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
            DriverCall(
                "PutImageTagMutability",
                {
                    "repositoryName": "name",
                    "imageTagMutability": "imageTagMutability",
                    "imageTagMutabilityExclusionFilters": "imageTagMutabilityExclusionFilters",
                },
            ),
            DriverCall(
                "PutImageScanningConfiguration",
                {"repositoryName": "name", "imageScanningConfiguration": "imageScanningConfiguration"},
            ),
            TAGGED,
        ),
        delete=(DriverCall("DeleteRepository", {"repositoryName": "name"}),),
        id="name",
        outputs={
            "arn": from_response("CreateRepository", "repository.repositoryArn"),
            "registryId": from_response("CreateRepository", "repository.registryId"),
            "repositoryUrl": ComputedValue(_url),
        },
        ignored={"forceDelete": "not a trait of the repository: it says what a removal may do"},
    ),
    Driver(
        type="aws:ecr/lifecyclePolicy:LifecyclePolicy",
        service="ecr",
        create=(POLICY,),
        update=(POLICY,),
        delete=(DriverCall("DeleteLifecyclePolicy", {"repositoryName": "repository"}),),
        id="repository",
    ),
)
