# Every target creates the environments that it needs, and again only when their lock file changes.
# `make help` lists the targets; STACK names the stack (dev, staging, prod or local).

PYTHON ?= python3
STACK ?= dev
RUN := .venv/bin/python

.DEFAULT_GOAL := help

# All variables have capital letters. `make preview stack=prod` would silently preview the default stack.
$(foreach name,stack flow function only sarif json free verbose,$(if $(filter command,$(firstword $(origin $(name)))), \
  $(error There is no variable `$(name)`. Variables have capital letters, for example STACK=prod)))
.PHONY: help test suite lint types schema docs surface cost cost-diff fresh preview up down push watch provider demo outputs console samples layers bench fuzz

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

# Each virtual environment has a stamp file, whose prerequisite is the environment's lock file.
# An environment is created from scratch when its lock changes, so that no old package stays in it.
# Several `make` commands may run at the same time: one of them installs, the others wait for it.
.venv/.locked: requirements/tools.txt
.venv-emulator/.locked: requirements/emulator.txt
.venv-spark/.locked: requirements/spark.txt
policies/.venv/.locked: policies/requirements.txt
.venv/.locked .venv-emulator/.locked .venv-spark/.locked policies/.venv/.locked:
	@$(PYTHON) local/virtual_environment_installation.py $(@D) $<

lint: .venv/.locked ## check code with ruff, the bootstrap template with cfn-lint, and .github with check-jsonschema and zizmor
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/cfn-lint bootstrap/roles.yaml
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@.venv/bin/zizmor --offline --quiet --no-progress .github

types: .venv/.locked ## check all types with mypy --strict
	@nice -n 5 .venv/bin/mypy && nice -n 5 .venv/bin/mypy policies/__main__.py

schema: .venv/.locked ## write the generated schemas, types and API documents (docs/reference/*.json, docs/reference/frontend.d.ts)
	@$(RUN) -m local generate schemas

docs: .venv/.locked ## write the generated pages (docs/reference/*.md)
	@$(RUN) -m local generate pages

surface: .venv/.locked ## write the tables of what the program may do, which a reviewer decides about (policies/guardrails/surface/*.txt)
	@$(RUN) -m local generate surface

cost: .venv/.locked ## estimate the monthly cost of STACK (FREE=1 subtracts the account's free tiers; VERBOSE=1 lists every line; JSON=1)
	@$(RUN) -m local cost --stack $(STACK) $(if $(FREE),--free) $(if $(VERBOSE),--verbose) $(if $(JSON),--json)

cost-diff: .venv/.locked ## compare the cost of A and B: two stacks, or two git revisions of STACK (default prod; . is the working tree)
	@$(RUN) -m local cost-diff "$(or $(A),HEAD)" "$(or $(B),.)" --stack $(if $(filter file,$(origin STACK)),prod,$(STACK)) $(if $(JSON),--json)

preview: .venv/.locked policies/.venv/.locked ## show plan, policy findings, cost and outputs of STACK, without an account (JSON=1, SARIF=file)
	@$(RUN) -m local preview --stack $(STACK) $(if $(JSON),--json) $(if $(SARIF),--sarif $(SARIF))

# Spark is optional here. An existing Spark environment is updated if its lock file has changed.
up: .venv/.locked .venv-emulator/.locked policies/.venv/.locked $(wildcard .venv-spark/.locked) ## start the local platform on this machine and leave it running (VERBOSE=1 prints each resource)
	@$(RUN) -m local up $(if $(VERBOSE),-v)

push: .venv/.locked .venv-emulator/.locked ## publish the functions FUNCTION on the running local platform (a folder such as meetings/storage, several, or all)
	@$(RUN) -m local push $(FUNCTION)

watch: .venv/.locked .venv-emulator/.locked ## publish the functions FUNCTION whenever their code changes, and print their logs
	@$(RUN) -m local watch $(FUNCTION)

# Only ingestion's flow needs the Spark environment, which is the largest.
demo: .venv/.locked .venv-emulator/.locked policies/.venv/.locked $(if $(filter-out ingestion,$(FLOW)),,.venv-spark/.locked) ## show everything working: preview, up, the flows, outputs, cost, down (FLOW=<name> runs one flow)
	@$(RUN) -m local demo $(if $(FLOW),--flow $(FLOW))

down: .venv/.locked .venv-emulator/.locked ## stop the local platform and remove its files
	@$(RUN) -m local down

provider: .venv/.locked .venv-emulator/.locked $(wildcard .venv-spark/.locked) policies/.venv/.locked ## start an emulator, and let the Pulumi CLI deploy to it (PULUMI_DEBUG_PROVIDERS)
	@$(RUN) -m local provider

outputs: .venv/.locked ## write frontend.json from the running local platform
	@$(RUN) -m local outputs

console: .venv/.locked ## serve the console (console/) against the running local platform
	@$(RUN) -m local console

samples: .venv/.locked ## write sample files for the local platform into samples/: speech, videos and records
	@$(RUN) -m local samples

layers: .venv/.locked ## build the Lambda layers (arm64, CPython 3.13) into build/layers
	@$(RUN) -m local layers

BENCHMARKS := preview caption_delay voice_qa presigned_uploads meetings_media

bench: .venv/.locked .venv-emulator/.locked policies/.venv/.locked ## measure the numbers in docs/benchmarks.md (ONLY=preview, or another module of benchmarks/)
	@for name in $(or $(ONLY),$(BENCHMARKS)); do $(RUN) -m benchmarks.$$name || exit 1; done

fuzz: .venv/.locked .venv-emulator/.locked .venv-spark/.locked policies/.venv/.locked ## run the property tests and the fault tests with many more examples, which takes long
	@HYPOTHESIS_PROFILE=thorough .venv/bin/python -m pytest tests/components tests/handlers tests/policies
	@$(RUN) -m tests.end_to_end.ingestion_chaos

# The release workflow runs this check alone. The tests of `make test` compare the same files.
fresh: .venv/.locked
	@$(RUN) -m local generate all --check

ifdef ONLY
# The unit tests of one subsystem, without lint, types and the end-to-end tests.
ONLY_FOLDERS = $(wildcard tests/*/$(ONLY) tests/*/*/$(ONLY))
test: .venv/.locked .venv-emulator/.locked $(if $(filter ingestion,$(ONLY)),.venv-spark/.locked) policies/.venv/.locked
	$(if $(ONLY_FOLDERS),,$(error There is no folder of tests `$(ONLY)`. Give a subsystem, for example ONLY=voice_qa))
	@.venv/bin/python -m pytest $(ONLY_FOLDERS)
else
# Types are checked in parallel with the tests, because each alone would leave a core idle for a while. The check has a
# lower priority than the tests of the platform, which take longest.
test: .venv/.locked .venv-emulator/.locked .venv-spark/.locked policies/.venv/.locked lint ## run lint, types and every test (ONLY=meetings: the unit tests of one subsystem)
	@$(MAKE) --no-print-directory -j2 types suite

suite:
	@.venv/bin/python -m pytest
endif
