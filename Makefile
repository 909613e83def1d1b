# `make audit` and `make test` are all that a newcomer needs; both set up .venv on the way.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PEERS  := .venv-peers
STAMP  := $(VENV)/.setup-stamp
# What an audit needs and no more; everything that developers need covers it.
AUDIT  := $(VENV)/.audit-stamp
OUT    ?= audit-demo

.PHONY: help setup audit test test-all fuzz bench bench-check validate docs docs-serve changelog test-docs wheel sbom licences image lint format docs-pictures demo-data clean
help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(STAMP)  ## make the whole environment in .venv, for developers too (quick when nothing changed)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'dvhkit needs Python 3.11 or newer; name one with: make setup PYTHON=/path/to/python3.11'; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(AUDIT): pyproject.toml | $(VENV)/bin/python
	@echo 'Installing dvhkit into $(VENV) (about a minute the first time) ...'
	@$(BIN)/python -m pip install --disable-pip-version-check --editable .
	@touch $@

$(STAMP): pyproject.toml | $(VENV)/bin/python
	@echo 'Installing dvhkit, all its extras and the tools of its developers into $(VENV) (some minutes the first time) ...'
	@$(BIN)/python -m pip install --disable-pip-version-check --editable '.[dev]'
	@touch $(AUDIT) $@

# The demo fails one rule on purpose, so exit code 1 is the expected end of it.
audit: $(AUDIT)  ## audit the shipped demo plan; ends by naming what it wrote
	@$(BIN)/dvhkit audit test_data/liver_sbrt --protocol oligoprogressive-liver-2025 \
	  --context test_data/liver_sbrt_context.yaml --out $(OUT); code=$$?; test $$code -le 1

# Measuring coverage takes as long again as the tests: `make test COVERAGE=yes`, as .ci/run does.
COVERAGE ?=
# Hundreds of tests start Python anew: without bytecode each would compile the sources, longer than most take.
test test-all: export PYTHONDONTWRITEBYTECODE =
test: setup  ## run the tests (some minutes on 2 cores)
	@$(BIN)/python -m pytest -n 2 -m 'not slow' $(if $(COVERAGE),--cov --cov-report=term)

test-all: setup  ## run the slow tests too
	@$(BIN)/python -m pytest -n 2

fuzz: setup  ## read the shipped plan in 50,000 damaged ways (some minutes)
	@$(BIN)/python scripts/fuzz_readers.py

# Peers that cannot be had are left out; the report says which and why.
bench: setup  ## time engine, margins and readers beside other programs; writes benchmarks/results.md (about 3 minutes)
	@test -x $(PEERS)/bin/python || $(BIN)/python -m venv $(PEERS)
	@$(PEERS)/bin/python -c 'import dicompylercore' 2>/dev/null || \
	  $(PEERS)/bin/python -m pip install -qq --disable-pip-version-check 'dicompyler-core==0.5.6' 'pydicom<3' || \
	  echo 'dicompyler-core cannot be had here; going on without it.'
	@command -v plastimatch >/dev/null || apt-get install -y plastimatch >/dev/null 2>&1 || \
	  echo 'plastimatch cannot be installed here; going on without it.'
	@$(BIN)/python benchmarks/run_all.py --peers $(PEERS)/bin/python

# Ratios are noisy on a machine that does other things too: the load is printed beside them, and CI does not run this.
bench-check: setup  ## run the benchmarks anew and name what got slower by over a tenth
	@$(BIN)/python benchmarks/check.py $(if $(wildcard $(PEERS)/bin/python),--peers $(PEERS)/bin/python)

validate: setup  ## measure engine and margins against known truths; writes docs/validation.md (under 3 minutes)
	@$(BIN)/python scripts/validate.py

docs: setup  ## build the documentation site, offline; a warning or broken link stops it
	@$(BIN)/python scripts/make_site.py

docs-serve: docs  ## show the site on this machine, with its search, until stopped
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site 8000

changelog: setup  ## move the fragments of changes/ into CHANGELOG.md; VERSION=0.2.0 names the release
	@$(BIN)/python scripts/collect_changes.py $(if $(VERSION),--version $(VERSION))

test-docs: setup  ## build the site, run the notebooks, audit with the wheel in a clean environment (some minutes)
	@$(BIN)/python -m pytest -m slow tests/docs

wheel: setup  ## build sdist and wheel into dist/, and audit the demo plan with the wheel in a clean environment
	@$(BIN)/python -m build --outdir dist .
	@$(BIN)/python scripts/wheel_smoke.py

sbom: setup  ## write dist/dvhkit.cdx.json, a CycloneDX bill of materials of the environment
	@$(PYTHON) -m venv .venv-sbom
	@.venv-sbom/bin/python -m pip install -q --disable-pip-version-check 'cyclonedx-bom>=7,<8'
	@mkdir -p dist
	@.venv-sbom/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml \
	  -o dist/dvhkit.cdx.json $(BIN)/python
	@echo 'The bill of materials is dist/dvhkit.cdx.json'

licences: setup  ## write docs/licences.md from the metadata of what is installed
	@$(BIN)/python scripts/licences.py

image: ## build the container image `dvhkit`, which audits as a user without rights on a read-only file system
	@docker build -t dvhkit .

lint: setup  ## ruff, mypy, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup  ## let ruff format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs-pictures: setup  ## make the pictures of README anew, with Chromium; a test holds what they were made from
	@$(BIN)/python scripts/make_docs_pictures.py

demo-data: setup  ## make test_data/ anew
	@$(BIN)/python scripts/make_demo_data.py

clean:  ## remove the environment and everything made
	rm -rf $(VENV) $(PEERS) $(OUT) .pytest_cache .mypy_cache .ruff_cache htmlcov .coverage
