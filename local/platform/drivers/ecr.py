"""Drivers of ECR repositories. No image is pushed to them: `IMAGES` in `local/emulation/batch` maps an image to its
program.
"""

from local.platform.driver_model.driver import ComputedValue, Driver, DriverCall, ResourceValues, from_response
from local.preview.preview_provider import ACCOUNT, REGION

TAGGED = DriverCall("TagResource", {"resourceArn": "arn", "tags": "tags"})
POLICY = DriverCall("PutLifecyclePolicy", {"repositoryName": "repository", "lifecyclePolicyText": "policy"})


def _repository_url(values: ResourceValues) -> str:
    """Return the URL as on AWS, because job definitions contain it. The emulator's URL would contain this machine's
    address.
    """
    return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{values['name']}"


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
            "repositoryUrl": ComputedValue(_repository_url),
        },
        ignored={"forceDelete": "affects the deletion only, not the repository"},
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
