# make run       install when needed, then start the studio (ARGS="--port 9000 --workers 2")
# make install   only install
# make test      lint and all tests, two files at a time (PYTEST_ARGS="tests/web -x", JOBS=1)
# make lint      ruff, mypy, the import rules, djlint for templates, biome for JavaScript and CSS
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt
ARGS ?=
PYTEST_ARGS ?=
JOBS ?= 2
# Measured when everything runs; lines are listed in test-results/coverage.
COVERAGE := --cov --cov-report=html:test-results/coverage --cov-fail-under=88
.DEFAULT_GOAL := run
.PHONY: run install test lint lint-javascript format format-javascript

run: install
	@exec $(BIN)/python manage.py studio $(ARGS)

install: $(VENV)/.installed

test: lint
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(or $(PYTEST_ARGS),$(COVERAGE))

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint . --quiet
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory lint-javascript; \
	elif [ "$$CI" = true ]; then echo "npm is missing: JavaScript and CSS cannot be linted." >&2; exit 1; \
	else echo "npm is missing: JavaScript and CSS are NOT linted. Install Node.js with npm to lint them." >&2; fi

lint-javascript: node_modules/.installed
	node_modules/.bin/biome check --error-on-warnings

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory format-javascript; \
	else echo "npm is missing: JavaScript is not formatted." >&2; fi

format-javascript: node_modules/.installed
	node_modules/.bin/biome check --write --error-on-warnings

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make run PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

# The stamps make a second run quick; a change of what is needed installs again.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV) (torch is large: this takes minutes the first time) ..."
	$(PIP) -e '.[worker]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.installed

# Only the linter of JavaScript and CSS: the site itself needs no npm.
node_modules/.installed: package.json package-lock.json
	npm ci --ignore-scripts
	@touch $@
