# make repro   install everything into .venv, run the pipeline (dvc repro), print the metrics
# make test    install everything into .venv, run the tests
# make lint    check style;  make clean   remove .venv and caches (data/ and DVC's cache stay)
#
# PYTHON=python3.12 make repro   chooses the interpreter, 3.11 or newer.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install repro test lint clean

# The interpreter: python3 if it is new enough, else the newest one that runs.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' \
	2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat requirements.lock pyproject.toml Makefile .ci/install_detectron2.py | cksum | cut -d' ' -f1)
PIP := $(BIN)/python -m pip --disable-pip-version-check

# dvc.lock holds the hashes of a run, which differ between processors. The one in git is empty, and
# yours stays out of `git status` until you commit it (git update-index --no-skip-worktree dvc.lock).
KEEP_LOCK_LOCAL = if git show HEAD:dvc.lock 2>/dev/null | grep -qx 'stages: {}'; then \
	git update-index --skip-worktree dvc.lock; fi

# One thread a test process: the tests run side by side.
TEST_PROCESSES ?= $(shell nproc 2>/dev/null || echo 2)

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

install: $(STAMP)

$(STAMP):
	@test -n "$(PYTHON)" || { echo "error: found no Python 3.11 or newer; install one or set PYTHON" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -r requirements.lock
	$(BIN)/python .ci/install_detectron2.py
	$(PIP) install --no-deps --no-build-isolation --editable .
	@$(KEEP_LOCK_LOCAL)
	rm -f $(VENV)/.installed-*
	touch $(STAMP)

repro: $(STAMP)
	@$(KEEP_LOCK_LOCAL)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro
	@$(BIN)/python -m pipeline.summary

test: $(STAMP)
	$(PIP) check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis ovseg_pipeline.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
