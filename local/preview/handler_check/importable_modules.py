"""Modules that a function or job can import from outside the project: the standard library, and packages.

A package's modules are read from its installation in `.venv`, which has the versions of the Lambda layer and of the Batch
job's image. A package that is not installed, such as Spark, is assumed to contain every module below its name.
"""

import importlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from local import ROOT

REMOVED_MODULES: Mapping[tuple[int, int], str] = {
    (3, 12): "asynchat asyncore distutils imp smtpd",
    (3, 13): (
        "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev pipes sndhdr spwd "
        "sunau telnetlib uu xdrlib"
    ),
}
"""Modules that were removed from the standard library. The key is the Python version that removed them ("What's New In
Python"). The Python that runs this check may be older and still have them."""
GLUE_MODULES = frozenset(
    {
        *("awsglue", "py4j", "pyspark"),
        *("boto3", "botocore", "dateutil", "fsspec", "numpy", "pandas", "pyarrow", "pytz", "requests", "s3fs"),
        *("s3transfer", "six", "typing_extensions", "urllib3"),
    }
)
"""Import names of the libraries that Spark jobs on Glue 5.1 may use. The first line has Glue's own libraries. The others
are packages that Glue provides, according to the page "Using Python libraries with AWS Glue" and to
base-requirements.txt of awslabs/aws-glue-libs, branch glue-5.1."""
GLUE_PYTHON = (3, 11)
"""Python version of Glue 5.0 and 5.1 (same page)."""


@dataclass(frozen=True)
class Packages:
    """Modules of the packages that a function or job can import."""

    source: str
    """Source of the packages for error messages, for example `requirements/layer.txt`."""
    files: Mapping[str, str]
    """Path of each module's file, by the module's name. The path is empty for a package without `__init__.py`."""
    unknown: frozenset[str] = frozenset()
    """Import names of packages that are not installed on this machine, so their modules are unknown."""

    def may_contain(self, module: str) -> bool:
        """Return False if the packages certainly lack the module."""
        return module in self.files or module.partition(".")[0] in self.unknown


def read_locked_packages(lock: Path) -> Packages:
    """Return the packages in a lock file."""
    files: dict[str, str] = {}
    unknown: set[str] = set()
    for name in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", lock.read_text(), re.MULTILINE):
        modules = _list_modules(name)
        files |= modules
        if not modules:
            unknown.add(re.sub(r"[-.]+", "_", name).lower())
    return Packages(str(lock.relative_to(ROOT)), files, frozenset(unknown))


def has_standard_module(module: str, python: tuple[int, int]) -> bool:
    """Return True if the standard library of a Python version has the module.

    The check uses the modules of the running Python, without those that the given version or an earlier one removed.
    """
    top = module.partition(".")[0]
    removed = {name for version, names in REMOVED_MODULES.items() if version <= python for name in names.split()}
    return top in sys.stdlib_module_names and top not in removed and (module == top or _module_exists(module))


def has_standard_name(module: str, name: str) -> bool:
    """Import a module of the standard library. Return True if it contains a name, or cannot be imported on this machine."""
    try:
        return hasattr(importlib.import_module(module), name) or _module_exists(f"{module}.{name}")
    except ImportError:  # for example `winreg`, which exists only on Windows
        return True


def _module_exists(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except ModuleNotFoundError:  # the parent is missing or no package
        return False


def _list_modules(distribution_name: str) -> dict[str, str]:
    """Return the file of each module of a package by name, or nothing if the package is not installed."""
    try:
        distribution = metadata.distribution(distribution_name)
    except metadata.PackageNotFoundError:
        return {}
    root = str(distribution.locate_file(""))
    modules: dict[str, str] = {}
    for line in (distribution.read_text("RECORD") or "").splitlines():
        path = line.partition(",")[0]
        if not path.endswith((".py", ".so", ".pyd")):
            continue
        *folders, file = path.split("/")
        stem = file.partition(".")[0]
        parts = folders if stem == "__init__" else [*folders, stem]
        if parts and all(map(str.isidentifier, parts)):
            modules[".".join(parts)] = f"{root}/{path}"
            for depth in range(1, len(parts)):
                modules.setdefault(".".join(parts[:depth]), "")
    return modules
