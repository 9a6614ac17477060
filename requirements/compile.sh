#!/usr/bin/env bash
# Generates every lock file from its .in file. Run it from the project's root after changing one, with `.venv`'s Python.
# The order matters, because earlier lock files constrain later ones.
set -euo pipefail
cd "$(dirname "$0")"
export CUSTOM_COMPILE_COMMAND=requirements/compile.sh
compile() { ../.venv/bin/pip-compile --config ../pyproject.toml "$@"; }
for name in program layer tools media emulator spark; do
  compile --output-file "$name.txt" "$name.in" "${@:1}"
done
cd ../policies
../.venv/bin/pip-compile --config ../pyproject.toml --output-file requirements.txt requirements.in "${@:1}"
