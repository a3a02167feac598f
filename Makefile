# Every target sets up what it needs, on a machine with Python 3.11+ and make. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK = 1
READY := .venv/.ready node_modules/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test examples upgrade docs check up down status bench faults fuzz mutants lock format clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | while IFS='|' read -r target text; do printf '  make %-8s %s\n' "$$target" "$$text"; done

setup: $(READY) ## the environment: .venv and the CDK CLI

demo: $(READY) ## deploy to an embedded AWS, bind a tenant, watch mail bounce and the webhooks arrive
	$(BIN)/python -m local demo $(ARGS)

test: $(READY) ## all tests: unit, adapters, infrastructure, and the journey on the embedded AWS
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

examples: $(READY) ## build and run docs/examples, each with its own runtime (skips those this machine lacks)
	$(BIN)/python -m pytest -m examples tests/docs -rs $(ARGS)

upgrade: $(READY) ## deploy 1.0.0, this release, 1.0.0 and this release again, under traffic, on an embedded AWS
	$(BIN)/python -m pytest -n 0 -m upgrade tests/journey/test_upgrade.py $(ARGS)

docs: $(READY) ## build the documentation's site in .build/site (ARGS=--serve shows it on 127.0.0.1:8000)
	$(BIN)/python -m docs.site $(ARGS)

check: $(READY) ## ruff, mypy --strict, import contracts, the documentation's links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m docs.site

up: $(READY) ## keep the embedded AWS running with the stack on it (STRICT=1: production's address rules)
	$(BIN)/python -m local up $(ARGS)

down: $(READY) ## stop what `make up` started
	$(BIN)/python -m local down $(ARGS)

status: $(READY) ## what `make up` keeps running
	$(BIN)/python -m local status $(ARGS)

bench: $(READY) ## side-by-side measurements, as tables of ratios
	$(BIN)/python -m benchmarks $(ARGS)

PARTS ?= pipeline reputation operations neighbours
faults: $(READY) ## the pipeline under injected faults, on the embedded AWS (PARTS=neighbours ARGS="--bad 41 --scenario refused")
	@failed=0; for part in $(PARTS); do $(BIN)/python -m tests.faults.$$part $(ARGS) || failed=1; done; exit $$failed

fuzz: $(READY) ## a million made-up inputs for whatever reads foreign input (SECONDS=600 bounds it)
	$(BIN)/python -m tests.fuzz.fuzz $(ARGS)

mutants: $(READY) ## small changes to the code, and whether a test notices (ARGS="--sample 500 --seed 1 --file backlog")
	$(BIN)/python -m tests.mutants $(ARGS)

lock: $(READY) ## pin every dependency anew: requirements.txt, the functions' and the CDK CLI's
	$(BIN)/uv pip compile requirements.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--quiet --upgrade --custom-compile-command "make lock" --output-file requirements.txt
	$(BIN)/python -m infra.lock
	npm install --package-lock-only

format: $(READY) ## lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove everything the other targets made
	rm -rf .venv node_modules .build cdk.out .local .mutants .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/.ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
		"ses-feedback needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is " + sys.version.split()[0] + ": say make PYTHON=python3.13")'
	@echo "Setting up .venv (once, a minute or two) ..."
	$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/# via/p' requirements.txt > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --require-hashes --requirement .venv/uv.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.txt
	@touch $@

node_modules/.ready: package-lock.json .venv/.ready
	npm ci --silent
	@touch $@
