# make demo, make test: each sets up what it needs and runs, on a machine with Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
DRIFT_PEERS := .venv-drift-peers
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo test components integration check wheel docs bench bench-quick bench-peers format clean

demo: $(VENV)/.demo
	$(BIN)/python examples/fastapi_app/run.py

test: $(VENV)/.test
	$(BIN)/python -m pytest

# Prometheus and the OpenTelemetry Collector, built once into a cache outside the tree.
components: $(VENV)/bin/python
	$(BIN)/python components/components.py

integration: $(VENV)/.test components
	$(BIN)/python -m pytest -m integration

check: $(VENV)/.check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" pyright --verifytypes mlmonitor --ignoreexternal
	$(BIN)/lint-imports

# The wheel alone, without src/ in sight, passes the tests that need no servers.
wheel: $(VENV)/.check
	rm -rf build/wheel dist
	$(BIN)/python -m build --wheel --outdir dist . > /dev/null
	$(PIP) install --no-deps --target build/wheel dist/*.whl
	cp -r tests build/wheel-tests.new && rm -rf build/wheel-tests && mv build/wheel-tests.new build/wheel-tests
	cd build && PYTHONPATH=wheel:wheel-tests TESTED_WHEEL=wheel ../$(BIN)/python -m pytest \
		-c ../pyproject.toml --rootdir . -o pythonpath= -q \
		wheel-tests/unit wheel-tests/laws wheel-tests/oracle wheel-tests/test_public_api.py

# All pages and figures that are made of code and of results; about a minute. Measures nothing.
docs: $(VENV)/.docs
	$(BIN)/python docs/generate.py
	for script in docs/figures/*.py; do $(BIN)/python $$script || exit 1; done
	$(BIN)/python benchmarks/page.py

# Strict: for a machine that does nothing else. Then the page, its figures and README's table.
bench: $(PEERS)/.bench
	$(PEERS)/bin/python benchmarks/run.py; kept=$$?; $(PEERS)/bin/python benchmarks/page.py && exit $$kept

# Under 90 seconds; repeats what exceeds its budget, and forgives a busy machine half as much again.
bench-quick: $(PEERS)/.bench
	$(PEERS)/bin/python benchmarks/run.py --quick

$(PEERS)/.bench: pyproject.toml benchmarks/peers.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m venv $(PEERS)
	$(PEERS)/bin/python -m pip --disable-pip-version-check -q install -e '.[bench]' -r benchmarks/peers.txt
	touch $@

# False alarms and delays of ours and of our peers, which live in an environment of their own.
bench-peers: $(VENV)/.test $(DRIFT_PEERS)/.installed
	$(BIN)/python benchmarks/false_alerts.py --peers $(DRIFT_PEERS)/bin/python
	$(BIN)/python docs/generate.py

$(DRIFT_PEERS)/.installed: benchmarks/false_alerts_peers.txt
	$(PYTHON) -m venv $(DRIFT_PEERS)
	$(DRIFT_PEERS)/bin/python -m pip --disable-pip-version-check -q install -r benchmarks/false_alerts_peers.txt
	touch $@

format: $(VENV)/.check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(PEERS) $(DRIFT_PEERS) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("mlmonitor needs Python 3.11 or newer; set PYTHON=") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

# One stamp an extra: installed again whenever pyproject.toml changes.
$(VENV)/.%: pyproject.toml | $(VENV)/bin/python
	$(PIP) install -e '.[$*]'
	touch $@
