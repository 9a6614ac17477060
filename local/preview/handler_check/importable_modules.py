"""Modules outside the project that an entry point can import: standard library and locked packages.

A package's modules are read from the metadata of its installation in `.venv`, which has the versions of the layer and
of the media job's image. A package that is not installed, such as Spark, is assumed to contain every module below its
name.
"""

import importlib
import re
import sys
from collections.abc import Iterable, Mapping
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
"""Modules of Python 3.11's standard library that a later version removed, by that version ("What's New In Python").
This process may run a Python that still has them."""
GLUE_MODULES = frozenset(
    {
        *("awsglue", "py4j", "pyspark"),
        *("boto3", "botocore", "dateutil", "fsspec", "numpy", "pandas", "pyarrow", "pytz", "requests", "s3fs"),
        *("s3transfer", "six", "typing_extensions", "urllib3"),
    }
)
"""Import names of Glue's own libraries, and of the packages of Glue 5.1 that a job may use. The page "Using Python
libraries with AWS Glue" lists the packages as already provided, and so does base-requirements.txt of
awslabs/aws-glue-libs, branch glue-5.1."""
GLUE_PYTHON = (3, 11)
"""Python version of Glue 5.0 and 5.1 (same page)."""


@dataclass(frozen=True)
class Packages:
    """Modules of an environment's installed packages."""

    source: str
    """Source of the packages, as text for a reader, for example `requirements/layer.txt`."""
    files: Mapping[str, str]
    """Path of each module's file. Empty for a package without `__init__.py`."""
    unknown: frozenset[str] = frozenset()
    """Names of packages whose modules are not known on this machine."""

    def has_module(self, module: str) -> bool:
        """Return False if the packages certainly lack the module."""
        return module in self.files or module.partition(".")[0] in self.unknown


def read_locked_packages(lock: Path) -> Packages:
    """Return the modules of all packages in a lock file."""
    files: dict[str, str] = {}
    unknown: set[str] = set()
    for name in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", lock.read_text(), re.MULTILINE):
        modules = _list_modules(name)
        files |= modules
        if not modules:
            unknown.add(re.sub(r"[-.]+", "_", name).lower())
    return Packages(str(lock.relative_to(ROOT)), files, frozenset(unknown))


def find_packages(modules: Iterable[str], source: str) -> Packages:
    """Return packages of which only the names are known."""
    return Packages(source, {}, frozenset(modules))


def has_standard_module(module: str, python: tuple[int, int]) -> bool:
    """Return True if the standard library of a Python version has the module."""
    top = module.partition(".")[0]
    removed = {name for version, names in REMOVED_MODULES.items() if version <= python for name in names.split()}
    return top in sys.stdlib_module_names and top not in removed and (module == top or _finds_spec(module))


def has_standard_name(module: str, name: str) -> bool:
    """Return True if a module of the standard library has the name. Only Python's own modules are imported for it."""
    try:
        return hasattr(importlib.import_module(module), name) or _finds_spec(f"{module}.{name}")
    except ImportError:  # a module of another platform
        return True


def _finds_spec(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except ModuleNotFoundError:  # the parent is not a package
        return False


def _list_modules(distribution_name: str) -> dict[str, str]:
    """Return the file of each module of an installed package; nothing if the package is not installed."""
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
