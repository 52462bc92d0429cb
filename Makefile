# Everything a developer runs. Needs make and Python 3.10 or newer with venv; the rest is installed into
# $(VENV). `make demo` and `make test` work in a fresh clone; a second call installs nothing.
#
#   make demo PYTHON=python3.12     another interpreter for the environment
#   make test PYTEST_ARGS='-k lag'  more arguments for pytest
#   make test WORKERS=8             more test processes
#
# pip reads its own environment variables, so PIP_INDEX_URL or PIP_EXTRA_INDEX_URL choose between a CPU and
# a CUDA build of torch.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
PYTEST_ARGS ?=
DEMO_OUT ?= runs/digits

VENV_PYTHON := $(VENV)/bin/python
PIP := $(VENV_PYTHON) -m pip --disable-pip-version-check
PYTEST := $(VENV_PYTHON) -m pytest
# One test process per core, each with one thread; tests of one module share a process and its fixtures.
PARALLEL := -n $(WORKERS) --dist loadscope

# Stamp files say what was installed, and go stale when the list of dependencies may have changed.
STAMP := $(VENV)/.installed
STAMP_DEV := $(VENV)/.installed-dev
STAMP_EDGE := $(VENV)/.installed-edge

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help install edge demo test slow faults browser doctest lint format types layers mutants check clean distclean

help:
	@echo 'make demo      search digits for an STM32F746, train, export, report'
	@echo 'make test      the fast tests'
	@echo 'make slow      the tests that take long'
	@echo 'make faults    the tests that kill and exhaust real processes'
	@echo 'make browser   the tests that open pages in headless Chromium'
	@echo 'make doctest   the examples in the docstrings and in docs/'
	@echo 'make lint      ruff: rules and format    (make format mends them)'
	@echo 'make types     mypy --strict'
	@echo 'make layers    imports go downwards only'
	@echo 'make mutants   seeded bugs that the tests must find'
	@echo 'make check     all of the above but the demo'
	@echo 'make install   the environment alone, with what development needs'
	@echo 'make edge      the same with the extra edge, for the tests of int8 files and microcontrollers'
	@echo 'make clean     removes caches and builds    (make distclean: the environment too)'

$(VENV_PYTHON):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("netwright needs Python 3.10 or newer, got " + sys.version.split()[0] + ": call make with PYTHON=python3.12, say")'
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(VENV_PYTHON)
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(STAMP_DEV): pyproject.toml constraints.txt | $(VENV_PYTHON)
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $(STAMP) $@

$(STAMP_EDGE): pyproject.toml constraints.txt | $(VENV_PYTHON)
	$(PIP) install -c constraints.txt -e '.[dev,edge]'
	@touch $(STAMP) $(STAMP_DEV) $@

install: $(STAMP_DEV)

# The tests that need it are skipped, visibly, where it is not installed.
edge: $(STAMP_EDGE)

demo: $(STAMP)
	$(VENV)/bin/netwright search --data digits --device stm32f746 --out $(DEMO_OUT)
	@echo
	@echo 'report:  $(DEMO_OUT)/report.html'
	@echo 'network: $(DEMO_OUT)/export/'

test: $(STAMP_DEV)
	$(PYTEST) $(PARALLEL) -m 'not slow and not faults and not browser' $(PYTEST_ARGS)

slow: $(STAMP_DEV)
	$(PYTEST) $(PARALLEL) -m 'slow and not faults and not browser' $(PYTEST_ARGS)

# One at a time: these tests watch processes, and a busy neighbour would only make them slower to wait for.
faults: $(STAMP_DEV)
	$(PYTEST) -m 'faults and not browser' $(PYTEST_ARGS)

browser: $(STAMP_DEV)
	$(PYTEST) -m browser $(PYTEST_ARGS)

doctest: $(STAMP_DEV)
	$(PYTEST) --doctest-modules --doctest-ignore-import-errors --doctest-glob='*.md' src docs/spaces.md $(PYTEST_ARGS)

lint: $(STAMP_DEV)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

format: $(STAMP_DEV)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

types: $(STAMP_DEV)
	$(VENV)/bin/mypy

layers: $(STAMP_DEV)
	$(VENV)/bin/lint-imports

mutants: $(STAMP_DEV)
	$(VENV_PYTHON) -m mutants.run

check: lint types layers test doctest slow faults browser mutants

clean:
	rm -rf build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
