# Two commands for a fresh Debian 12: `make run` and `make test`. Each target installs what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BUILD := build/release
VENV := .venv
# What one build tree or clone has compiled serves the others, the wheel's too.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

.PHONY: help
help:  ## Lists what can be made
	@echo "Lepton. Most used: make run, make test-fast. All:"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1|/' | \
	  while IFS='|' read -r name what; do printf '%-14s %s\n' "$$name" "$$what"; done

.PHONY: build
build: $(VENV)/.editable $(BUILD)/build.ninja  ## Builds the server; leaves .venv/bin/lepton
	@cmake --build $(BUILD) --target product
	@scripts/link_product.sh $(BUILD)

.PHONY: run
run: build  ## Serves the example model and sends it images; ONCE=1 ends after the answers, PORT=8000
	@$(VENV)/bin/lepton demo $(if $(ONCE),--once) $(if $(PORT),--port $(PORT))

.PHONY: test
test:  ## Runs every test: unit, integration, sanitizers, install (about 45 minutes on two cores)
	@scripts/test.sh all

.PHONY: test-fast
test-fast:  ## Runs what a developer runs all the time: unit and integration (under 3 minutes)
	@scripts/test.sh fast

.PHONY: conformance
conformance:  ## Runs h2spec and the back-end tests of onnx against the server (5 minutes)
	@scripts/test.sh conformance onnx

.PHONY: robustness
robustness: build  ## Attacks the server beside a healthy client (15 minutes); ARGS=--short: two minutes
	@scripts/setup.sh test
	@cmake --build $(BUILD) --target lepton_engine_fake
	@$(VENV)/bin/python tests/robustness/run.py $(ARGS)

.PHONY: differential
differential: build  ## Looks for graphs that are not answered as by OpenVINO alone, SECONDS=3600 SEED=random
	@scripts/setup.sh test
	@$(VENV)/bin/python tests/differential/search.py --seconds $(or $(SECONDS),3600) $(if $(SEED),--seed $(SEED))

.PHONY: fuzz
fuzz:  ## Runs the fuzzers of tests/fuzz, two at once, SECONDS_EACH=60
	@tests/fuzz/run.sh $(or $(SECONDS_EACH),60)

.PHONY: fuzz-long
fuzz-long:  ## The same for longer, SECONDS_EACH=600; what they found is where the next run begins
	@tests/fuzz/run.sh $(or $(SECONDS_EACH),600)

.PHONY: bench
bench: build  ## Measures against the ping-pong floor and the in-process limit, and the clients; ARGS=--quick: two minutes
	@scripts/setup.sh test
	@cmake --build $(BUILD)
	@$(VENV)/bin/python bench/run.py $(ARGS)
	@$(VENV)/bin/python bench/clients.py $(ARGS)

.PHONY: bench-realtime
bench-realtime: build  ## Measures which deadlines are kept under load, against fifo; 1.5 h; ARGS=--quick: five minutes
	@scripts/setup.sh test
	@cmake --build $(BUILD)
	@$(VENV)/bin/python bench/realtime.py $(ARGS)

.PHONY: lint
lint: build  ## Checks format, includes, types; clang-tidy on what changed since it last passed
	@scripts/setup.sh lint
	@scripts/lint.sh

.PHONY: format
format:  ## Formats C++ and Python in place
	@scripts/setup.sh lint
	@scripts/lint.sh --fix

.PHONY: wheel
wheel:  ## Builds the wheel with its libraries inside, into wheelhouse/
	@scripts/setup.sh test
	@scripts/wheel.sh

.PHONY: docs
docs:  ## Builds the documentation into build/docs
	@scripts/setup.sh docs
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --strict
	@echo "build/docs/index.html"

.PHONY: clean
clean:  ## Removes what was built; leaves .venv
	rm -rf build dist wheelhouse python/lepton/bin python/lepton/examples

# Everything below is a step of the above.
.PHONY: setup
setup:
	@scripts/setup.sh build

$(BUILD)/build.ninja: | setup
	@cmake --preset release

# The Python side is used in place; only pyproject.toml decides what the console script is.
$(VENV)/.editable: pyproject.toml | setup
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --no-build-isolation --config-settings=wheel.cmake=false --editable .
	@touch $@
