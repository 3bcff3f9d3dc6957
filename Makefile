# Each target does all of its own set-up: a python3 of 3.11 or newer is all that is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
KEEP ?=
# Most tests wait for servers and processes, so more of them than there are cores do well.
JOBS ?= 4
ROUNDS ?= 1
ONLY ?=
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-all faults storm lint bench clean help

help:
	@echo "make demo            shop in the example shops and watch the events arrive"
	@echo "make demo KEEP=1     the same, and leave the sandbox page open"
	@echo "make test            lint, types and every test"
	@echo "make test-all        the tests on every interpreter found, with old and new libraries"
	@echo "make faults          kills, stops and breaks what it can; ROUNDS=10 does so ten times"
	@echo "make storm ROUNDS=100 kills a shop's processes at random a hundred times, and counts"
	@echo "make bench           speed, side by side with facebook_business and Segment"

$(VENV)/.demo: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	@$(INSTALL) -e ".[django,flask]" --group test
	@touch $@

$(VENV)/.faults: $(VENV)/.demo
	@$(INSTALL) --group faults || echo "no uWSGI: it is built from source, with a C compiler"
	@touch $@

$(VENV)/.lint: $(VENV)/.demo
	@$(INSTALL) --group lint --group hosts
	@touch $@

demo: $(VENV)/.demo
	@$(BIN)/capi demo $(if $(KEEP),--keep)

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tests/typing/run_pyright.py

# Processes that are killed and clocks that jump beside other tests miss a deadline at times: what
# fails there has to pass alone, and is named in both runs.
test: lint $(VENV)/.faults
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal || \
		$(BIN)/python -m pytest --last-failed --last-failed-no-failures none

test-all: $(VENV)/.lint
	$(BIN)/nox

faults: $(VENV)/.faults
	@for round in $$(seq $(ROUNDS)); do \
		echo "round $$round of $(ROUNDS)"; \
		$(BIN)/python -m pytest -q -n 4 -x tests/faults $(if $(ONLY),--fault $(ONLY)) || exit 1; \
	done

storm: $(VENV)/.demo
	CAPI_STORM_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -q tests/faults/test_storms.py \
		tests/faults/test_stopped_processes.py tests/faults/test_transactions.py \
		tests/faults/test_outages.py tests/faults/test_brokers.py

bench: $(VENV)/.demo
	@$(INSTALL) --group bench
	$(BIN)/python benchmarks/bench_payload.py
	$(BIN)/python benchmarks/bench_capture.py
	$(BIN)/python benchmarks/bench_delivery.py
	$(BIN)/python benchmarks/bench_outbox.py
	$(BIN)/python benchmarks/bench_segment.py

clean:
	rm -rf $(VENV) .nox dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
