# Everything a developer or an operator starts. Works with GNU make 3.81 (macOS).
# PYTHON=...  the interpreter .venv is made with (3.11 or newer)
# ARGS=...    handed to what the target starts, such as: make demo ARGS=--no-serve

VENV := .venv
BIN := $(VENV)/bin
# Quiet twice: warnings of a proxied package index are not for who only wants to start the demo.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
TEST_ENV := DATANIKA_INSTALL_SERVICES=$${DATANIKA_INSTALL_SERVICES:-1}
ARGS ?=
# Settings without servers and without keys: what looks at the code alone needs neither.
CHECK := DJANGO_SETTINGS_MODULE=datanika_site.settings_test $(BIN)/python manage.py
UV := $(shell command -v uv 2>/dev/null || echo build/uv/bin/uv)
COMPILE = $(UV) pip compile pyproject.toml --quiet --python-version 3.11 --universal --no-header \
	--no-emit-index-url --no-emit-find-links --no-annotate

export PYTHON

.PHONY: help demo up test e2e chaos bench lint audit-dependencies format lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/base.stamp $(VENV)/demo.stamp ## Set up a demo organization, run everything once, then serve it
	@$(BIN)/python manage.py demo $(ARGS)

up: $(VENV)/base.stamp ## Web, worker and beat in one terminal
	@$(BIN)/python manage.py up $(ARGS)

test: $(VENV)/dev.stamp $(VENV)/demo.stamp ## The whole default test suite
	$(TEST_ENV) $(BIN)/python -m pytest -n logical --maxprocesses=4 --dist worksteal $(ARGS)

e2e: $(VENV)/dev.stamp $(VENV)/demo.stamp ## Tests in a real browser
	$(TEST_ENV) $(BIN)/python -m pytest -m e2e $(ARGS)

chaos: $(VENV)/dev.stamp $(VENV)/demo.stamp ## Kill processes and servers in the middle of runs
	@mkdir -p build
	$(TEST_ENV) $(BIN)/python -m pytest -m chaos -s $(ARGS)

bench: $(VENV)/dev.stamp $(VENV)/demo.stamp ## Measure speed and memory against the goals
	@mkdir -p build
	$(TEST_ENV) $(BIN)/python -m pytest -m bench -s $(ARGS)

lint: $(VENV)/dev.stamp ## Style, types, layers, migrations, files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_repo.py
	$(BIN)/python scripts/check_compose.py
	$(CHECK) makemigrations --check --dry-run
	$(CHECK) check --fail-level WARNING

audit-dependencies: $(VENV)/dev.stamp ## Ask whether a locked package has a known vulnerability
	$(BIN)/python scripts/audit_dependencies.py $(ARGS)

format: $(VENV)/dev.stamp ## Lay out the code and repair what can be repaired
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/made.stamp ## Compile the lock files anew from pyproject.toml (ARGS=--upgrade)
	@command -v $(UV) >/dev/null 2>&1 || { $(BIN)/python -m venv build/uv && build/uv/bin/pip install -qq uv; }
	$(COMPILE) $(ARGS) --extra dev --output-file requirements-dev.lock
	$(COMPILE) $(ARGS) --constraint requirements-dev.lock --output-file requirements.lock

clean: ## Remove what tools left behind (not the data, not .venv)
	rm -rf build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# ---- the virtual environment: one for everything, each stamp younger than its lock file ---------
# The development lock holds the same versions as the base lock, so either may come first.

# dbt adapters of our own; pip leaves what it built beside them.
ADAPTERS := $(shell find adapters -name '*.py' -o -name '*.sql' -o -name '*.toml' -o -name '*.yml')
OURS = $(PIP) --no-deps --force-reinstall ./adapters/dbt-mysql && rm -rf adapters/*/build adapters/*/*.egg-info

$(VENV)/made.stamp: scripts/make_venv.sh
	@sh scripts/make_venv.sh $(VENV)
	@touch $@

$(VENV)/base.stamp: requirements.lock $(VENV)/made.stamp $(ADAPTERS)
	@echo "Installing Datanika's packages into $(VENV)."
	@$(PIP) -r requirements.lock
	@$(OURS)
	@touch $@

$(VENV)/demo.stamp: requirements-demo.lock $(VENV)/made.stamp
	@$(PIP) --no-deps -r requirements-demo.lock
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/made.stamp $(ADAPTERS)
	@echo "Installing Datanika's packages and the development tools into $(VENV)."
	@$(PIP) -r requirements-dev.lock
	@$(OURS)
	@touch $@
