# Each target does all of its own set-up: a python3 of 3.11 or newer is all that is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
KEEP ?=
# Most tests wait for servers and processes, so more of them than there are cores do well.
JOBS ?= 4
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-all lint bench clean help

help:
	@echo "make demo            shop in the example shops and watch the events arrive"
	@echo "make demo KEEP=1     the same, and leave the sandbox page open"
	@echo "make test            lint, types and every test"
	@echo "make test-all        the tests on every interpreter found, with old and new libraries"
	@echo "make bench           speed, side by side with facebook_business and Segment"

$(VENV)/.demo: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	@$(INSTALL) -e ".[django,flask]" --group test
	@touch $@

$(VENV)/.lint: $(VENV)/.demo
	@$(INSTALL) --group lint
	@touch $@

demo: $(VENV)/.demo
	@$(BIN)/capi demo $(if $(KEEP),--keep)

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tests/typing/run_pyright.py

test: lint
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

test-all: $(VENV)/.lint
	$(BIN)/nox

bench: $(VENV)/.demo
	@$(INSTALL) --group bench
	$(BIN)/python benchmarks/bench_payload.py
	$(BIN)/python benchmarks/bench_capture.py
	$(BIN)/python benchmarks/bench_outbox.py
	$(BIN)/python benchmarks/bench_segment.py

clean:
	rm -rf $(VENV) .nox dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
