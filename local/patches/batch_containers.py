"""A job's container on this machine: which program an image holds, and what that program sees. Pure but for links.

An image is built for arm64 and cannot run here. So a table says which module of ours is an image's entry point, and
which packages were copied into it: a job can import those and no others.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import ROOT
from local.patches.itself import endpoint

SUPERVISOR = ROOT / "local" / "container.py"
Container = Mapping[str, Any]


class NoProgram(ValueError):
    """An image that nobody has said the content of."""


@dataclass(frozen=True)
class Image:
    """What is in an image."""

    module: str
    """Its entry point, which gets the container's command as arguments."""
    packages: tuple[str, ...]
    """What of the project is copied into it."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of its environment, as its Dockerfile sets them."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Variables that say where in the image something is, each with where it is here: below the container's folder."""


FFMPEG, SCRATCH = "bin/ffmpeg", "tmp"
IMAGES = {
    "meetings-media-images": Image(
        "handlers.meetings.media_job",
        ("handlers/__init__.py", "handlers/common", "handlers/meetings"),
        {"PYTHONUNBUFFERED": "1"},
        {"FFMPEG": FFMPEG, "SCRATCH_FOLDER": SCRATCH},
    ),
}
"""By how the repository's name ends: what comes before is the stack's."""
MORE = "emulator/batch-images.json"
"""Below the platform's folder: images of a test's own."""
BROUGHT = ("LANG", "LC_ALL")


def repository_of(image: str) -> str | None:
    """The name of an ECR repository; none where an image is another registry's."""
    registry, _, rest = image.partition("/")
    return rest.partition("@")[0].partition(":")[0] if ".dkr.ecr." in registry else None


def program_of(image: str, folder: Path) -> Image:
    """What an image holds."""
    repository = repository_of(image) or ""
    try:
        more: dict[str, Any] = json.loads((folder / MORE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        more = {}
    known = {name: Image(**{**one, "packages": tuple(one["packages"])}) for name, one in more.items()}
    known = IMAGES | known
    for ending, found in known.items():
        if repository.endswith(f"-{ending}"):
            return found
    raise NoProgram(f"nobody says what {image} holds: local/patches/batch_containers.py has a table")


def overridden(container: Container, overrides: Container, parameters: Mapping[str, str]) -> dict[str, Any]:
    """A definition's container with what a job says instead, and its placeholders filled in."""
    merged = {**container, **{name: one for name, one in overrides.items() if name in {"command", "instanceType"}}}
    for name, key in (("environment", "name"), ("resourceRequirements", "type")):
        parts = {one[key]: one for one in (*container.get(name, ()), *overrides.get(name, ()))}
        merged[name] = list(parts.values())
    merged["command"] = [
        parameters.get(part.removeprefix("Ref::"), part) if part.startswith("Ref::") else part
        for part in merged.get("command") or []
    ]
    return merged


def command(python: str, image: Image, arguments: Sequence[str]) -> list[str]:
    """What is run."""
    return [python, "-P", str(SUPERVISOR), python, "-P", "-m", image.module, *arguments]


def variables(
    container: Container, own: Mapping[str, str], credentials: tuple[str, str, str], region: str
) -> dict[str, str]:
    """All that a job sees of an environment: its own variables, the service's, a role's credentials, the endpoints."""
    key, secret, token = credentials
    return {
        **{name: os.environ[name] for name in BROUGHT if name in os.environ},
        **{one["name"]: str(one["value"]) for one in container.get("environment") or []},
        **own,
        **dict(_endpoints()),
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def furnished(folder: Path, image: Image, ffmpeg: str) -> dict[str, str]:
    """Makes a folder what a container's file system is to its job; the variables that lead there."""
    code = folder / "code"
    for one in (FFMPEG, f"{SCRATCH}/any"):
        (folder / one).parent.mkdir()
    for package in image.packages:
        link = code / (Path(package).name if Path(package).is_absolute() else package)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(ROOT / package)
    (folder / FFMPEG).symlink_to(ffmpeg)
    return {
        "PATH": str((folder / FFMPEG).parent),
        "PYTHONPATH": str(code),
        "HOME": str(folder),
        "TMPDIR": str(folder / SCRATCH),
        **{name: str(folder / place) for name, place in image.places.items()},
    }


def _endpoints() -> Iterator[tuple[str, str]]:
    yield "AWS_ENDPOINT_URL", endpoint()
    for name, value in os.environ.items():
        if name.startswith("AWS_ENDPOINT_URL_"):
            yield name, value
