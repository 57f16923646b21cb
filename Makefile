# make run       install when needed, then start the studio (ARGS="--port 9000 --workers 2")
# make install   only install
# make test      lint and all tests (PYTEST_ARGS="tests/web -x")
# make lint      ruff, mypy and the import rules
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt
ARGS ?=
PYTEST_ARGS ?=
.DEFAULT_GOAL := run
.PHONY: run install test lint format

run: install
	@exec $(BIN)/python manage.py studio $(ARGS)

install: $(VENV)/.installed

test: lint
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

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
