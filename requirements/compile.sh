#!/usr/bin/env bash
# Makes every lock anew from its .in file. Run it from the project's root after changing one, in `.venv`'s Python.
# Order matters: a later file is constrained by an earlier lock.
set -euo pipefail
cd "$(dirname "$0")"
export CUSTOM_COMPILE_COMMAND=requirements/compile.sh
compile() { ../.venv/bin/pip-compile --config ../pyproject.toml "$@"; }
for name in program tools layer media emulator spark; do
  compile --output-file "$name.txt" "$name.in" "${@:1}"
done
cd ../policies
../.venv/bin/pip-compile --config ../pyproject.toml --output-file requirements.txt requirements.in "${@:1}"
