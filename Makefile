# MultiTask Payments. `make help` lists what can be made.
# Every recipe runs from the project's folder through the interpreter of its own virtual environment.
.DEFAULT_GOAL := help
.PHONY: help run demo code test test-browser simulate check format bench mutation screenshots lock clean install install-dev translations browser
SHELL := /bin/bash

PYTHON ?= python3
PY := .venv/bin/python
# Python keeps what it has compiled, or each of the many programs that are started compiles it anew.
unexport PYTHONDONTWRITEBYTECODE
# The whole suite on three workers, as some tests wait more than they work; `make test ARGS="tests/integration/ledger -x"`
# runs what ARGS names.
# A module's tests run on one worker, which starts the programs they share once; tests/conftest.py orders the modules.
WORKERS ?= 3
SPREAD := --dist loadfile --no-loadscope-reorder
ARGS ?=
# What `make simulate` plays, and in how many processes.
STORIES ?= 200
SEED ?= 7
STORY ?=
PROCESSES ?= 1

help: ## Show this list.
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: install ## Start everything, play the stories of two tasks, and stay up (Ctrl-C stops it).
	@exec $(PY) -m stack run

demo: install ## Play the stories of two tasks and stop; a step that fails is named.
	@exec $(PY) -m stack demo

code: ## Show the present code of the staff login that `make run` has made, for the back office.
	@$(PY) -m stack code

test: install-dev browser ## Run the tests on an embedded PostgreSQL, or on the server that DATABASE_URL names.
	@$(PY) -m pytest -n $(WORKERS) $(SPREAD) $(ARGS)

test-browser: install-dev browser ## Click through the pages in Chromium, as `make test` also does.
	@$(PY) -m pytest tests/browser $(ARGS)

simulate: install-dev ## Play STORIES of SEED in virtual time (STORY=<n> plays one again); see CONTRIBUTING.md.
	@$(PY) -m tests.simulation --seed $(SEED) $(if $(STORY),--story $(STORY),--stories $(STORIES)) --workers $(PROCESSES) $(ARGS)

check: install-dev ## Lint, types, import rules, production settings, migrations in step.
	@$(PY) -m stack check

format: install-dev ## Lay the code out as `make check` wants it.
	@$(PY) -m ruff check --fix --quiet . ; $(PY) -m ruff format --quiet .

bench: install-dev ## Run the benchmarks, each with its machine, settings, figures and ratios.
	@$(PY) -m bench $(ARGS)

mutation: install-dev ## Break the money's rules on purpose and count how many tests notice.
	@$(PY) -m stack mutation $(ARGS)

screenshots: install-dev browser ## Draw every page, on desktop and phone, dark and Arabic, into screenshots/.
	@$(PY) -m tests.browser.screenshots

lock: ## Lock the dependencies of pyproject.toml anew, with hashes (needs uv).
	@command -v uv >/dev/null || { echo "error: uv is not here: install it, it writes the lock files" >&2; exit 1; }
	@uv pip compile --quiet --universal --no-strip-extras --generate-hashes --no-header --no-emit-index-url \
		pyproject.toml -o requirements/run.txt
	@uv pip compile --quiet --universal --no-strip-extras --generate-hashes --no-header --no-emit-index-url --group dev \
		pyproject.toml -o requirements/dev.txt

clean: ## Delete the virtual environment, caches and all local data, the embedded database's too.
	@if [ -x $(PY) ]; then $(PY) -m stack postgres remove; fi
	@rm -rf .venv .data .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache static-collected screenshots
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

install:
	@PYTHON="$(PYTHON)" stack/install.sh run
	@$(MAKE) --no-print-directory translations

install-dev:
	@PYTHON="$(PYTHON)" stack/install.sh dev
	@$(MAKE) --no-print-directory translations

browser:
	@stack/browser.sh

# Django reads compiled catalogues; Babel compiles them without Debian's gettext.
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard multitask/web/pages/locale/*/LC_MESSAGES/django.po))

translations: $(CATALOGUES)
	@:

%.mo: %.po
	@.venv/bin/python -m babel.messages.frontend compile --input-file $< --output-file $@ >/dev/null 2>&1 || { echo "error: $< does not compile" >&2; exit 1; }
