# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

# Needs Python 3.11 to 3.13, make and git, and a Python package registry; the rest goes into .venv/ and ~/.cache/meshops-istio
# (another folder by MESHOPS_CACHE). MESHOPS_PYTHON=3.12 or a path chooses a Python; else it is the newest of the machine.

define TARGETS
make setup      Python tools into .venv/, the lab's programs into the cache: the first time about 10 minutes on 2 cores
make test       all checks, then all tests
make lint       all checks: ruff, mypy, ansible-test sanity, ansible-lint, antsibull, REUSE, galaxy-importer
make unit       the unit tests, on the floor (Python 3.11, ansible-core 2.19) and on the newest
make lab-test   the tests on a real Kubernetes
make molecule   the molecule scenario `default`, on the lab; SCENARIO=kind on kind, which needs Docker and a network
make bench      what tasks, moves and waits cost
make judge      the same on real Istio, LAB_ISTIO_BIN=FOLDER, with its outcome in docs/evidence/
make demo       a whole upgrade and back, before your eyes
make lab        start a lab to play with; CLUSTERS=3 starts three, with one inventory
make lab-down   end it
make format     format the Python files
make lock       refresh the pinned versions of the Python tools
make dist       the collection as an archive, in dist/
endef

# Any Python that runs may start the set-up, which looks for a better one; a name on PATH may be a shim that does not run.
# It is looked for on the caller's PATH: .venv/ is what the set-up replaces.
CALLERS_PATH := $(PATH)
START = export PATH="$(CALLERS_PATH)"; for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null && exec "$$p" tests/tools/setup.py
BIN := $(CURDIR)/.venv/bin
RUN := $(BIN)/python
# Each of the two has clusters of its own; a file's tests stay together, since they share them.
SIDE_BY_SIDE := -n 2 --dist loadfile

export PATH := $(BIN):$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.venv/collections
export ANSIBLE_HOME := $(CURDIR)/.venv/ansible

.PHONY: help python setup test lint unit floor lab-test judge molecule bench demo lab lab-down format lock dist

help:
	$(info $(TARGETS))
	@:

setup:
	@$(START); done; echo "no Python 3 runs here: install Python 3.11 or newer" >&2; exit 1

python:
	@$(START) python; done; echo "no Python 3 runs here: install Python 3.11 or newer" >&2; exit 1

lint: python
	@$(RUN) -m tests.tools.lint

floor: python
	@$(RUN) -m tests.tools.floor

unit: floor
	@$(RUN) -m pytest -q tests/unit

lab-test: setup
	@$(RUN) -m pytest -q $(SIDE_BY_SIDE) tests/cases

judge: setup
	@test -n "$(LAB_ISTIO_BIN)" || { echo "LAB_ISTIO_BIN names no folder of real Istio: CONTRIBUTING.md says what belongs into it" >&2; exit 1; }
	@$(RUN) -m pytest -q $(SIDE_BY_SIDE) -p tests.evidence --evidence docs/evidence/istio-1.29.6-1.30.3.json tests/cases

test: setup
	@$(RUN) -m tests.tools.lint
	@$(RUN) -m tests.tools.floor
	@$(RUN) -m pytest -q $(SIDE_BY_SIDE) tests/unit tests/cases
	@$(RUN) -m tests.tools.scenario

molecule: setup
	@$(RUN) -m tests.tools.scenario $(SCENARIO)

bench: setup
	@PYTHONPATH=$(CURDIR)/.venv/collections $(RUN) -m tests.bench

demo: setup
	@$(RUN) -m tests.demo

lab: setup
	@$(RUN) -m tests.lab up $(if $(CLUSTERS),--clusters $(CLUSTERS))

lab-down: python
	@$(RUN) -m tests.lab down

format: python
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

lock: python
	@$(RUN) -m tests.tools.lock

dist: python
	@$(RUN) -m tests.tools.artefact dist
