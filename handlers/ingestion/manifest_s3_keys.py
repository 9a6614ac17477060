"""S3 keys of a manifest's objects in the lake bucket. The functions and the Spark job both use them."""


def list_key(manifest_id: str) -> str:
    """Return the key of the list of files that the builder claimed."""
    return f"manifests/{manifest_id}.json"


def confirmed_key(manifest_id: str, redrive: int) -> str:
    """Return the key of the list of files that an execution confirmed. The execution's run processes this list.

    Each redrive has its own key. Otherwise, a late call of a stopped execution could replace the list of a redrive.
    """
    name = f"{manifest_id}-r{redrive}" if redrive else manifest_id
    return f"manifests/{name}.confirmed.json"


def result_key(manifest_id: str) -> str:
    """Return the key of the run's result. It is the last object that a run writes."""
    return f"manifests/{manifest_id}.result.json"


def newest_run_key(manifest_id: str) -> str:
    """Return the key of the object that names the newest run of the manifest."""
    return f"manifests/{manifest_id}.run"
