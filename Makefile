SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
DEMO := .demo
CORPUS ?= ../shared/corpus

.PHONY: help setup demo demo-stop test soak check format bench generate lock corpus

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## Make .venv and install the system's packages
	@$(BIN)/python -m compileall -q schemas reconciler nodeagent # else a start may have to: that takes twice its time

$(VENV)/.ready: requirements-dev.lock pyproject.toml setup.sh
	@./setup.sh

demo: setup ## Run examples/hello on this machine, on a real containerd of its own
	@examples/demo.sh $(DEMO)

demo-stop: ## Stop the demo and remove all that it made
	@examples/demo.sh --stop $(DEMO)

test: setup ## Run all tests, on real containerd and Mosquitto
	@$(BIN)/python -m tests.preflight
	@$(BIN)/python -m tests

soak: setup ## Long forms: 2,000 made-up histories of each sort; a node whose parts are killed for ten minutes
	@WHERRY_EXAMPLES=2000 $(BIN)/pytest -q --timeout 0 tests/unit/reconciler/scheduler/test_properties.py tests/simulation/test_histories.py tests/unit/nodeagent/pods/test_lifecycle_properties.py
	@WHERRY_SOAK_SECONDS=600 $(BIN)/pytest -q --timeout 0 tests/lab/test_resilience.py tests/lab/test_lifecycle.py

check: setup ## Lint, format, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup ## Measure; one JSON object a line
	@for name in cold_start edit_to_running footprint resync scheduler validate controllers node_idle node_restart node_burst probes services dns; do $(BIN)/python -m tests.benchmarks.$$name || exit 1; done

corpus: setup ## Hold the manifests in CORPUS against the official schemas, and print the counts
	@$(BIN)/python -m tests.corpus $(CORPUS)

generate: setup ## Write again what is generated: JSON Schemas, docs/support.md, docs/compose.md, CRI messages
	@$(BIN)/python -m schemas.jsonschema
	@$(BIN)/python -m schemas.support
	@$(BIN)/python -m reconciler.manifests.compose
	@$(BIN)/python -m nodeagent.runtime.proto

lock: setup ## Pin the dependencies anew
	@$(BIN)/uv pip compile -q --generate-hashes --no-header --no-emit-index-url --extra reconciler -o requirements.lock pyproject.toml
	@$(BIN)/uv pip compile -q --generate-hashes --no-header --no-emit-index-url --extra dev -o requirements-dev.lock pyproject.toml
