# authz-sidecar: `make help` lists what there is. Every target sets up its own virtual environment.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WIRE := authz_sidecar/wire
# Tests start hundreds of processes, and none should compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "authz-sidecar needs Python 3.11 or newer; try make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# What running needs; `.dev` adds what checking and testing need. Both come from hashed lists.
$(VENV)/.run: $(VENV)/.python requirements/run.txt pyproject.toml
	@echo "Setting up $(VENV) (once, about half a minute) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/run.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "Setting up the tools for checks and tests (once, about a minute) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.fuzz $(VENV)/.browser: $(VENV)/.%: $(VENV)/.dev requirements/%.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/$*.txt
	@touch $@

.PHONY: check
check: $(VENV)/.dev ## Format, lint, layers, types, generated files clean
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	$(BIN)/basedpyright
	cd proto && ../$(BIN)/buf lint
	cd proto && ../$(BIN)/buf breaking --against released.json
	@$(MAKE) --no-print-directory proto-clean

.PHONY: fix
fix: $(VENV)/.dev ## Format and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: proto
proto: $(VENV)/.dev ## Generate the stubs from proto/authz/v1/authz.proto
	$(BIN)/python -m grpc_tools.protoc -I$(WIRE)=proto/authz/v1 --python_out=. --grpc_python_out=. --pyi_out=. $(WIRE)/authz.proto

.PHONY: proto-clean
proto-clean: $(VENV)/.dev
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(BIN)/python -m grpc_tools.protoc -I$(WIRE)=proto/authz/v1 --python_out="$$fresh" --grpc_python_out="$$fresh" --pyi_out="$$fresh" $(WIRE)/authz.proto; \
	for f in authz_pb2.py authz_pb2.pyi authz_pb2_grpc.py; do \
	  cmp -s "$$fresh/$(WIRE)/$$f" "$(WIRE)/$$f" || { echo "$(WIRE)/$$f is not what the .proto says: run make proto"; exit 1; }; \
	done; echo "generated stubs are clean"

.PHONY: test
test: $(VENV)/.dev ## All tests that Python alone can run, with the coverage gate
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term --cov-fail-under=95

# EFFORT is read by tests/effort.py; ELSEWHERE are the markers of what other targets run.
ELSEWHERE := clients or redis or providers or libreoffice or postgres or matrix or conformance or browser
.PHONY: test-thorough
test-thorough: $(VENV)/.dev ## The random tests with many more examples, and the slow tests
	EFFORT=thorough $(BIN)/python -m pytest -n auto --dist worksteal -o timeout=300 -m '(hypothesis or slow) and not ($(ELSEWHERE))'

LOCK = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
.PHONY: lock
lock: $(VENV)/.python ## Rewrite requirements/*.txt from pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(LOCK) --all-extras pyproject.toml --group dev -o requirements/dev.txt
	$(LOCK) --extra examples --extra conditions --extra redis --extra gateway --extra oauth pyproject.toml --group install -c requirements/dev.txt -o requirements/run.txt
	for group in fuzz browser; do $(LOCK) --group $$group -c requirements/dev.txt -o requirements/$$group.txt; done
	for name in mcp1 fastmcp2 fastmcp4; do $(LOCK) pyproject.toml --group install tests/matrix/$$name.in -o tests/matrix/$$name.txt; done
	cd tests/matrix && for name in cerbos eunomia authlab; do ../../$(LOCK) --no-config $$name.in -o $$name.txt; done

.PHONY: clean
clean: ## Remove the environment and everything that runs left behind
	rm -rf $(VENV) var dist build .mypy_cache .ruff_cache .hypothesis .coverage*

.PHONY: demo
demo: $(VENV)/.run ## Show the main job: real clients, a real server, allowed, denied, filtered, audited
	@$(BIN)/python -m examples.demo

.PHONY: run
run: $(VENV)/.run ## Keep the demo running, with this repository's policies, for curl and the MCP Inspector
	@$(BIN)/python -m examples.demo --keep --port $${PORT:-8000}

.PHONY: demo-oauth demo-oauth-browser
demo-oauth: $(VENV)/.run ## Show the whole circle of OAuth: 401, login, consent, call, step up, refresh, revoke
	@$(BIN)/python -m examples.oauth_flow

demo-oauth-browser: $(VENV)/.browser
	@$(BIN)/python -m examples.oauth_flow --browser

.PHONY: test-clients
test-clients: $(VENV)/.dev ## Node.js, Go and Java programs call a live sidecar (needs node, npm, go, java and mvn)
	$(BIN)/python -m pytest -m clients

# Each needs a real part from the machine's packages; `.ci/run` installs them.
.PHONY: test-redis test-providers test-libreoffice test-postgres test-matrix test-conformance
test-redis test-providers test-libreoffice test-postgres test-matrix test-conformance: $(VENV)/.dev
	$(BIN)/python -m pytest -m $(@:test-%=%)

.PHONY: test-browser
test-browser: $(VENV)/.browser ## Log in, consent and decline in a real Chromium
	$(BIN)/python -m pytest -m browser

.PHONY: test-all
test-all: test test-thorough test-clients test-redis test-providers test-libreoffice test-postgres test-browser test-conformance test-matrix demo demo-oauth ## Everything: test, thoroughly, other languages, real servers, the demo

.PHONY: mutate-tokens
mutate-tokens: $(VENV)/.dev ## Delete each check of the token verifier once; a test must notice every one
	$(BIN)/python -m tests.tokens.mutate

.PHONY: fuzz
fuzz: $(VENV)/.fuzz ## Attack what strangers can reach with made-up input, FUZZ_SECONDS for each target (default 600)
	$(BIN)/python -m tests.fuzz $${FUZZ_SECONDS:-600}

.PHONY: bench
bench: $(VENV)/.dev ## Measure; prints ratios to controls measured in the same run
	$(BIN)/python -m bench

.PHONY: wheel
wheel: $(VENV)/.dev ## Build dist/authz_sidecar-*.whl
	$(BIN)/python -m build --no-isolation --wheel

.PHONY: proto-go
proto-go: $(VENV)/.dev ## Generate the Go stubs of the sample client (needs go)
	@tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	GOBIN="$$tools" go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12; \
	GOBIN="$$tools" go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2; \
	PATH="$$tools:$$PATH" $(BIN)/python -m grpc_tools.protoc -Iproto \
	  --go_out=examples/clients/go/authzv1 --go_opt=module=authz.example/authz/v1 \
	  --go-grpc_out=examples/clients/go/authzv1 --go-grpc_opt=module=authz.example/authz/v1 authz/v1/authz.proto
