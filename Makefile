# make help lists the targets; make check is what CI runs.

GO     ?= go
PYTHON ?= python3

LINT_VERSION := v2.15.0
LINT         := .cache/bin/golangci-lint-$(LINT_VERSION)
VENV         := .cache/venv/stamp
NODE         := .cache/node/stamp
TESTFLAGS    ?=
VERSION      := $(shell git describe --tags --always --dirty 2>/dev/null)
BENCHED      := ./pricing/... ./policies/... ./extproc/...
WASM_FLAGS   := -trimpath -buildvcs=false -buildmode=c-shared -ldflags="-s -w"

# The end-to-end tests drive Envoy with the official SDKs in these environments.
export FAREBOX_PYTHON := $(CURDIR)/.cache/venv/bin/python
export FAREBOX_NODE   := $(CURDIR)/.cache/node

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build demo test check bench clean go python node servers format docs vet lint generated cross benches

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-8s %s\n", $$1, $$2}' Makefile

build: go ## build bin/farebox, bin/farebox.wasm and bin/provider
	$(GO) build -trimpath -ldflags "$(if $(VERSION),-X main.release=$(VERSION))" -o bin/farebox ./extproc/cmd/farebox
	GOOS=wasip1 GOARCH=wasm $(GO) build $(WASM_FLAGS) -o bin/farebox.wasm ./wasm
	$(GO) build -trimpath -o bin/provider ./examples/provider

demo: build ## watch customer-service traffic get cheaper through a real Envoy
	@FAREBOX_ENVOY="$$($(GO) run ./envoy/install)" && export FAREBOX_ENVOY && $(GO) run ./examples/customer-service

test: build servers $(VENV) $(NODE) ## run all tests: unit, vectors, end to end
	@$(GO) run ./envoy/install -pinned >/dev/null
	@$(GO) run ./envoy/install -oldest >/dev/null
	$(GO) test -timeout 20m $(TESTFLAGS) ./...

check: go python node servers format docs vet lint generated cross benches ## what CI runs: format, docs, vet, lint, builds, then all tests
	@$(MAKE) --no-print-directory test TESTFLAGS=-shuffle=on

bench: build ## measure: parts by themselves, then end to end through Envoy
	$(GO) test -run '^$$' -bench . -benchmem $(BENCHED)
	@FAREBOX_ENVOY="$$($(GO) run ./envoy/install -pinned)" && export FAREBOX_ENVOY && $(GO) run ./e2e/bench

clean: ## remove what was built and what was downloaded
	rm -rf bin .cache

go:
	@command -v $(GO) >/dev/null || { echo "make: go is missing: apt-get install golang-go, or a newer one from https://go.dev/dl"; exit 1; } >&2
	@v=$$($(GO) env GOVERSION) && printf '%s\n' go1.26 "$$v" | sort -CV || \
		{ echo "make: $$v is too old, go 1.26 or newer is needed: apt-get install golang-go from Debian's backports, or https://go.dev/dl"; exit 1; } >&2

python:
	@command -v $(PYTHON) >/dev/null || { echo "make: python3 is missing: apt-get install python3 python3-pip python3-venv"; exit 1; } >&2
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { echo "make: pip is missing: apt-get install python3-pip"; exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: venv is missing: apt-get install python3-venv"; exit 1; } >&2

$(VENV): e2e/requirements.txt | python
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

node:
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "make: node or npm is missing: apt-get install nodejs npm"; exit 1; } >&2

# The tests start both themselves. Debian has PostgreSQL's programs in a folder of each version.
servers:
	@command -v redis-server >/dev/null || { echo "make: redis-server is missing: apt-get install redis-server"; exit 1; } >&2
	@command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || \
		{ echo "make: postgres is missing: apt-get install postgresql"; exit 1; } >&2

$(NODE): e2e/node/package.json e2e/node/package-lock.json | node
	rm -rf $(@D) && mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

$(LINT):
	GOBIN=$(CURDIR)/$(@D) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv $(@D)/golangci-lint $@

format:
	@bad=$$(gofmt -l .) && { [ -z "$$bad" ] || { printf 'not formatted, run gofmt -w:\n%s\n' "$$bad"; exit 1; }; }

docs:
	@bad=$$($(GO) list -f '{{if not .Doc}}{{.ImportPath}}{{end}}' ./...) && \
		{ [ -z "$$bad" ] || { printf 'packages without a comment:\n%s\n' "$$bad"; exit 1; }; }

vet:
	$(GO) vet ./...

lint: $(LINT)
	$(LINT) run ./...

# Golden files are compared by the tests of their packages.
generated:
	$(GO) mod tidy -diff
	@before=$$(git diff | git hash-object --stdin) && $(GO) generate ./... && \
		{ [ "$$before" = "$$(git diff | git hash-object --stdin)" ] || { echo 'generated files were not current: see git diff'; exit 1; }; }

cross:
	$(GO) build ./...
	GOOS=wasip1 GOARCH=wasm $(GO) vet ./pricing/... ./policies/... ./wasm/...

benches: # each once, so that none rots
	@out=$$($(GO) test -run '^$$' -bench . -benchtime 1x $(BENCHED)) || { echo "$$out"; exit 1; }
