"""Drivers of ECR repositories and their lifecycle policies: the API calls that create, update and delete them.

The repositories contain no images, because the emulated AWS Batch starts a local process instead of a container.
"""

from local.platform.driver_model.driver import Driver, DriverCall, from_response, from_template
from local.preview.preview_provider import ACCOUNT, REGION

PUT_POLICY = DriverCall("PutLifecyclePolicy", {"repositoryName": "repository", "lifecyclePolicyText": "policy"})


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
        ),
        delete=(DriverCall("DeleteRepository", {"repositoryName": "name"}),),
        id="name",
        outputs={
            "arn": from_response("CreateRepository", "repository.repositoryArn"),
            "registryId": from_response("CreateRepository", "repository.registryId"),
            # Job definitions contain the URL and need the form that it has on AWS. The emulator returns another one.
            "repositoryUrl": from_template(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{{name}}"),
        },
        ignored={"forceDelete": "the repositories of the emulator contain no images"},
    ),
    Driver(
        type="aws:ecr/lifecyclePolicy:LifecyclePolicy",
        service="ecr",
        create=(PUT_POLICY,),
        update=(PUT_POLICY,),
        delete=(DriverCall("DeleteLifecyclePolicy", {"repositoryName": "repository"}),),
        id="repository",
    ),
)
