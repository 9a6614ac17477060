# Every target creates what it needs by itself, and again only when a lock changes.
# `make help` lists them; STACK names the stack (dev, staging, prod or local).

PYTHON ?= python3
STACK ?= dev
RUN := .venv/bin/python
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help test lint types schema preview up down outputs layers bench bench-spark fuzz

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

# One stamp file a virtual environment: its name is the environment's, its prerequisite the lock.
# An environment is made anew when its lock changes, so that nothing stale stays in it.
.venv/.locked: requirements/tools.txt
.venv-emulator/.locked: requirements/emulator.txt
.venv-spark/.locked: requirements/spark.txt
policies/.venv/.locked: policies/requirements.txt
.venv/.locked .venv-emulator/.locked .venv-spark/.locked policies/.venv/.locked:
	@echo "installing $< into $(@D)"
	@$(PYTHON) -c 'import sys; sys.exit("Polyphony needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

lint: .venv/.locked ## ruff: rules and format
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: .venv/.locked ## mypy --strict over everything
	@.venv/bin/mypy && .venv/bin/mypy policies/__main__.py

schema: .venv/.locked ## write the generated schemas (docs/*.schema.json)
	@$(RUN) -m local schema

preview: .venv/.locked policies/.venv/.locked ## plan, policy findings, cost and outputs of STACK, without an account (JSON=1, SARIF=file)
	@$(RUN) -m local preview --stack $(STACK) $(if $(JSON),--json) $(if $(SARIF),--sarif $(SARIF))

up: .venv/.locked .venv-emulator/.locked policies/.venv/.locked ## bring the local stack up on this machine and leave it running
	@$(RUN) -m local up

down: .venv/.locked .venv-emulator/.locked ## stop the local platform and remove what it left
	@$(RUN) -m local down

outputs: .venv/.locked ## write frontend.json from the running local platform
	@$(RUN) -m local outputs

layers: .venv/.locked ## build the Lambda layers (arm64, CPython 3.13) into build/layers
	@$(RUN) -m local layers

bench: .venv/.locked policies/.venv/.locked ## measure what docs/benchmarks.md reports
	@$(RUN) benchmarks/preview.py

bench-spark: .venv-spark/.locked ## measure the Glue job beside DuckDB and pyarrow (MB=700)
	@.venv-spark/bin/python benchmarks/spark.py $(if $(MB),--megabytes $(MB))

fuzz: .venv/.locked ## the property tests with many more examples
	@HYPOTHESIS_PROFILE=thorough .venv/bin/python -m pytest tests/components tests/handlers

test: .venv/.locked .venv-emulator/.locked .venv-spark/.locked policies/.venv/.locked lint types ## lint, types and every test
	@.venv/bin/python -m pytest
