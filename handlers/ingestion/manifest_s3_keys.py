"""S3 keys of a manifest's objects in the lake bucket. The Lambda functions and the Spark job both use them.

A manifest is a list of files for one run of the Spark job. An execution of the workflow confirms the files that are the
manifest's own, and starts the run for them. A redrive is a new execution after a failure.
"""


def first_list_key(manifest_id: str) -> str:
    """Return the key of the list of files with which the manifest was created."""
    return f"manifests/{manifest_id}.json"


def confirmed_list_key(manifest_id: str) -> str:
    """Return the key of the list of files that the last execution confirmed. The run processes these files."""
    return f"manifests/{manifest_id}.confirmed.json"


def result_key(manifest_id: str) -> str:
    """Return the key of the run's result. It is the last object that a run writes."""
    return f"manifests/{manifest_id}.result.json"
