# make repro   install everything into .venv, run the pipeline (dvc repro), print the metrics
# make test    install everything into .venv, run the tests
# make test-faults   the slow ones: kills, two writers, 10,000 pictures, one and two processes
# make gpu-check  does all of it work on this machine's GPU? (docs/gpu.md); PARTS=all also measures
# make show-lock   let git see the dvc.lock of your run, to commit it or to change branches
# make lint    check style and types;  make clean   remove .venv and caches (data/ and DVC's cache stay)
#
# PYTHON=python3.12 make repro   chooses the interpreter, 3.11 or newer.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install repro show-lock test test-faults gpu-check lint clean

# The interpreter: python3 if it is new enough, else the newest one that runs.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' \
	2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat requirements.lock pyproject.toml Makefile .ci/install_detectron2.py | cksum | cut -d' ' -f1)
PIP := $(BIN)/python -m pip --disable-pip-version-check

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
	@.ci/keep_lock_local.sh
	rm -f $(VENV)/.installed-*
	touch $(STAMP)

repro: $(STAMP)
	@.ci/keep_lock_local.sh
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro
	@$(BIN)/python -m pipeline.evaluate.summary

test: $(STAMP)
	$(PIP) check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES)

# Without .venv it runs beside any Python and PyTorch: see `tests/gpu/check.py --prepare`.
PARTS ?= core
gpu-check:
	$(or $(wildcard $(BIN)/python),python3) tests/gpu/check.py --parts $(PARTS)

test-faults: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES) tests/faults

show-lock:
	git update-index --no-skip-worktree dvc.lock

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis ovseg_pipeline.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
