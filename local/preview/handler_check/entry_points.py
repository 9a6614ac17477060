"""Entry points of a stack: the module with which each Lambda function, Spark job or Batch job starts.

An entry point has an environment: everything that its code can import. The project's modules are read from the archives
that the program publishes, not from the source folders, so a module that an archive lacks is missing here too. For a
Batch job, the Dockerfile names the files of the image.
"""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from components.handler_archive import LAYER_LOCK
from local import ROOT
from local.preview.handler_check.importable_modules import (
    GLUE_MODULES,
    GLUE_PYTHON,
    Packages,
    read_locked_packages,
)
from local.preview.resource_graph import Graph, Resource
from local.property_values import Archive, Asset

IMAGE_FILE = "Dockerfile"
"""File of each folder whose program runs in a container image."""
MAIN = "__main__"
"""Name of a module that is run as a script or with `python -m <package>`."""


class SourceFile(NamedTuple):
    """Python file of a module. A package without `__init__.py` has its folder in place of a file, and empty content."""

    path: str
    """Path relative to the repository's root."""
    content: bytes


@dataclass(frozen=True, eq=False)
class ImportEnvironment:
    """Everything that the code of an entry point can import."""

    code: str
    """Path of the archive or Dockerfile, for error messages."""
    modules: Mapping[str, SourceFile]
    """Modules of the project by their dotted names."""
    packages: Packages
    python: tuple[int, int]


@dataclass(frozen=True)
class EntryPoint:
    """Code with which a function or job starts."""

    urn: str
    """URN of the resource. `make push` uses the function's physical name instead."""
    text: str
    """Entry point as the program or Dockerfile writes it, for example `handlers.meetings.storage.handler.handler`."""
    module: str
    function: str | None
    """Function that Lambda calls, or None for a job."""
    environment: ImportEnvironment


def list_entry_points(graph: Graph) -> Iterator[EntryPoint]:
    """Yield the entry points of all functions and jobs of a stack."""
    reader = EnvironmentReader()
    resources = graph.customs()
    for resource in resources:
        match resource.type:
            case "aws:lambda/function:Function":
                yield from _read_function(resource, reader)
            case "aws:glue/job:Job":
                yield from _read_spark_job(resource, resources, reader)
            case "aws:batch/jobDefinition:JobDefinition":
                yield from _read_batch_job(resource)


def _read_function(resource: Resource, reader: "EnvironmentReader") -> Iterator[EntryPoint]:
    code, handler = resource.inputs.get("code"), resource.inputs.get("handler")
    if isinstance(code, Archive) and code.path is not None and isinstance(handler, str):
        runtime, has_layer = str(resource.inputs.get("runtime")), bool(resource.inputs.get("layers"))
        yield to_entry_point(resource.urn, handler, reader.read(code.path, runtime, has_layer=has_layer))


def to_entry_point(name: str, handler: str, environment: ImportEnvironment) -> EntryPoint:
    """Return the entry point of a Lambda function. `name` is the function's URN or physical name."""
    # Lambda's guide, "Python handler naming": the text before the last dot is the module. Slashes may separate folders.
    module, _, function = handler.rpartition(".")
    return EntryPoint(name, handler, module.replace("/", "."), function, environment)


def _read_spark_job(resource: Resource, resources: list[Resource], reader: "EnvironmentReader") -> Iterator[EntryPoint]:
    """Yield the entry point of a Spark job: its script, which can import from the archive in `--extra-py-files`."""
    objects = {
        f"s3://{item.inputs.get('bucket')}/{item.inputs.get('key')}": item.inputs.get("source")
        for item in resources
        if item.type == "aws:s3/bucketObjectv2:BucketObjectv2"
    }
    script = objects.get(resource.inputs["command"]["scriptLocation"])
    library = objects.get(resource.inputs["defaultArguments"].get("--extra-py-files"))
    if isinstance(script, Asset) and script.path is not None:
        path = library.path if isinstance(library, Asset) else None
        modules = dict(reader.read_archive(path)) if path else {}
        modules[MAIN] = SourceFile(script.path, (ROOT / script.path).read_bytes())
        packages = Packages("Glue", {}, unknown=GLUE_MODULES)
        environment = ImportEnvironment(path or script.path, modules, packages, GLUE_PYTHON)
        yield EntryPoint(resource.urn, script.path, MAIN, None, environment)


def _read_batch_job(resource: Resource) -> Iterator[EntryPoint]:
    """Yield the entry point of each image in the subsystem's folder, as the image's Dockerfile describes it."""
    folder = ROOT / "handlers" / str(resource.inputs["tags"]["Subsystem"]).replace("-", "_")
    for dockerfile in sorted(folder.rglob(IMAGE_FILE)):
        text = dockerfile.read_text()
        (version,) = re.findall(r"^FROM (python:\S+)", text, re.MULTILINE)
        (command,) = re.findall(r"^ENTRYPOINT (\[.*\])", text, re.MULTILINE)
        copied = [ROOT / source for source in re.findall(r"^COPY (\S+)", text, re.MULTILINE)]
        (lock,) = (source for source in copied if source.suffix == ".txt")
        files = [file for source in copied for file in ([source] if source.is_file() else source.rglob("*.py"))]
        modules = _to_modules({str(file.relative_to(ROOT)): file.read_bytes() for file in files})
        program = json.loads(command)[-1]  # `python -m <module or package>`
        environment = ImportEnvironment(
            str(dockerfile.relative_to(ROOT)), modules, read_locked_packages(lock), _parse_version(version)
        )
        is_package = f"{program}.{MAIN}" in modules
        yield EntryPoint(resource.urn, program, f"{program}.{MAIN}" if is_package else program, None, environment)


class EnvironmentReader:
    """Reader of the environments of functions. It reads each archive and lock file once, so changes need a new reader."""

    def __init__(self) -> None:
        self._archives: dict[str, dict[str, SourceFile]] = {}
        self._packages: dict[bool, Packages] = {}
        self._environments: dict[tuple[str, str, bool], ImportEnvironment] = {}

    def read(self, archive: str, runtime: str, *, has_layer: bool) -> ImportEnvironment:
        """Return the environment of a function. Functions with equal arguments share one environment."""
        key = (archive, runtime, has_layer)
        if key not in self._environments:
            if has_layer not in self._packages:
                # Without the layer, there are no packages. The boto3 in Lambda's runtime does not count, because it may be
                # older than the locked version. "a layer" completes the message "neither a layer nor Python provides …".
                self._packages[has_layer] = read_locked_packages(LAYER_LOCK) if has_layer else Packages("a layer", {})
            modules = self.read_archive(archive)
            packages = self._packages[has_layer]
            self._environments[key] = ImportEnvironment(archive, modules, packages, _parse_version(runtime))
        return self._environments[key]

    def read_archive(self, path: str) -> Mapping[str, SourceFile]:
        """Return the modules of a zip."""
        if path not in self._archives:
            with zipfile.ZipFile(ROOT / path) as archive:
                names = [name for name in archive.namelist() if name.endswith(".py")]
                self._archives[path] = _to_modules({name: archive.read(name) for name in names})
        return self._archives[path]


def _to_modules(files: Mapping[str, bytes]) -> dict[str, SourceFile]:
    """Return the modules of Python files, including the packages that contain them, by their dotted names."""
    modules: dict[str, SourceFile] = {}
    for name, content in files.items():
        path = PurePosixPath(name)
        if path.suffix != ".py":
            continue
        package = path.parent.parts
        modules[".".join(package if path.stem == "__init__" else (*package, path.stem))] = SourceFile(name, content)
        for depth in range(1, len(package) + 1):
            modules.setdefault(".".join(package[:depth]), SourceFile("/".join(package[:depth]), b""))
    return modules


def _parse_version(text: str) -> tuple[int, int]:
    """Return the Python version in the name of a runtime or image, for example (3, 13) for `python3.13`."""
    major, minor = re.findall(r"\d+", text)[:2]
    return int(major), int(minor)
