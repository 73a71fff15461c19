# Every command of the project. Each does its own set-up, and is quick when that is done; `make` lists them.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done || true)
PYTHON := $(or $(PYTHON),python3)
VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/done
ARGS ?=
SECONDS ?= 600
MINUTES ?= 60
SANITIZED ?=
SANITIZE := build/sanitize
CLUSTER_PACKAGES := iproute2 nftables nginx-light
COMPILED := tests/native tests/rpc tests/interop tests/property

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check sanitize fuzz soak envtest coverage bench guard bench-full wheel image-proof clean lint format types imports cython generated
.DELETE_ON_ERROR:

help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1   \2/p' $(MAKEFILE_LIST)

demo: $(DONE)/native ## See real graphs answer real requests over gRPC and REST
	@echo "==> demo: training the models, then running three graphs (about a minute)"
	@$(BIN)/python examples/demo.py $(ARGS)

test: $(DONE)/native $(DONE)/dev ## Run the tests; ARGS="tests/graph -k router" chooses
	@echo "==> test: running pytest (some ten minutes on two cores)"
	@$(BIN)/pytest $(if $(ARGS),$(ARGS),--numprocesses auto --dist loadfile)

check: $(DONE)/native $(DONE)/dev ## Check style, types, import contracts, Cython sources and what is generated
	@$(MAKE) --no-print-directory -k lint format types imports cython generated
	@echo "==> check: all passed"

sanitize: $(SANITIZE)/native $(DONE)/dev ## Run the tests of compiled code with its memory and arithmetic watched; ARGS="tests/rpc" chooses
	@echo "==> sanitize: running the tests of compiled code (two to four minutes)"
	@rm -f $(SANITIZE)/report.*
	@$(call watched,:log_path=$(CURDIR)/$(SANITIZE)/report) $(SANITIZE)/venv/bin/python -P -m pytest \
		--capture=sys -o cache_dir=$(SANITIZE)/cache $(if $(filter tests%,$(ARGS)),,$(COMPILED)) $(ARGS); result=$$?; \
		for report in $(SANITIZE)/report.*; do [ ! -e "$$report" ] || { cat "$$report"; result=1; }; done; exit $$result
	@echo "==> sanitize: no memory error, no undefined behaviour"

fuzz: $(if $(SANITIZED),$(SANITIZE),$(DONE))/native $(DONE)/dev ## Try damaged inputs on what reads them, SECONDS=600 each; ARGS="server" chooses, SANITIZED=1 watches too
	@echo "==> fuzz: trying damaged inputs ($(SECONDS) s each, as many at once as there are cores)"
	@$(if $(SANITIZED),$(call watched)) PYTHONPATH=tests $(if $(SANITIZED),$(SANITIZE)/venv,$(VENV))/bin/python -m fuzz --seconds $(SECONDS) $(ARGS)

soak: $(DONE)/native $(DONE)/dev ## Serve a mixed load for MINUTES=60 and see that memory stays flat; ARGS="--workers 2" is for more
	@echo "==> soak: serving a mixed load ($(MINUTES) minutes; Ctrl-C ends it)"
	@PYTHONPATH=tests $(BIN)/python -m soak --minutes $(MINUTES) $(ARGS)

envtest: $(DONE)/native $(DONE)/dev ## Run the operator's tests in a real Kubernetes cluster; ARGS="-k kubelet" chooses
	@command -v nginx >/dev/null && command -v nft >/dev/null || .ci/system $(PYTHON) $(CLUSTER_PACKAGES) || true
	@echo "==> envtest: running pods and all (minutes; the first time a quarter of an hour more, to build Kubernetes)"
	@PYTHONPATH=tests $(BIN)/python -m envtest $(ARGS)

coverage: $(DONE)/native $(DONE)/dev ## Run the tests and print which lines of executor they leave out
	@echo "==> coverage: running the tests (twice as long as without)"
	@mkdir -p build/coverage
	@$(BIN)/pytest --quiet --cov --cov-report=term --cov-report=html $(ARGS)
	@echo "==> coverage: each line is shown in build/coverage/html/index.html"

bench: $(DONE)/native $(DONE)/dev ## Measure against baselines; ARGS="list" shows what, ARGS="full" is all
	@$(if $(ARGS),,echo "==> bench: measuring (three minutes; whatever else runs here spoils it)")
	@$(BIN)/python -m bench $(ARGS)

guard: $(DONE)/native $(DONE)/dev ## Count instructions per request, and compare with the parent commit
	@command -v valgrind >/dev/null || .ci/system $(PYTHON) valgrind
	@echo "==> guard: counting (three minutes; some more where the parent commit was never built here)"
	@$(BIN)/python -m bench guard $(ARGS)

bench-full: $(DONE)/native $(DONE)/dev ## Measure all scenarios, payloads and baselines
	@echo "==> bench: measuring everything (three quarters of an hour)"
	@$(BIN)/python -m bench full

wheel: $(DONE)/packages $(DONE)/wheel-tools ## Build a wheel with nghttp2 inside, and prove it on a bare system
	@echo "==> wheel: building (about half a minute)"
	@rm -rf wheelhouse
	@PATH="$(CURDIR)/$(BIN):$$PATH" .ci/image compile . wheelhouse
	@echo "==> wheel: proving it in a root file system without compiler and nghttp2 (a minute, the first time two)"
	@PYTHONPATH=tests $(BIN)/python -P tests/wheel/prove.py wheelhouse/millrace-*.whl

image-proof: wheel ## Make what the image holds in a bare root file system, and run it there as the image would
	@echo "==> image: installing it and running it read-only, as uid 8888 (a minute or two)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONPATH=tests $(BIN)/python -P tests/image/proof.py wheelhouse/millrace-*.whl

clean: ## Remove everything that was made here: .venv, build, caches
	rm -rf $(VENV) build dist wheelhouse .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f _native/*.c _native/*.html executor/_native/*.so

# --- the parts of check

lint: ; @echo "==> check: ruff" && $(BIN)/ruff check --quiet --output-format concise .
format: ; @echo "==> check: formatting" && $(BIN)/ruff format --check --quiet --output-format concise .
types: ; @echo "==> check: mypy strict (half a minute at first)" && $(BIN)/mypy
imports: ; @echo "==> check: import contracts" && $(BIN)/lint-imports
cython: ; @echo "==> check: cython-lint" && PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint _native
generated: ; @echo "==> check: generated code and pages" && $(BIN)/python proto/generate.py --check && \
	$(BIN)/python tests/compatibility/generate.py --check && $(BIN)/python -m operator_lite.crd --check && $(BIN)/python -m operator_lite.rights --check

# --- set-up, redone when what it depends on has changed

$(DONE)/system: .ci/system
	@.ci/system $(PYTHON)
	@mkdir -p $(@D) && touch $@

$(DONE)/packages: pyproject.toml | $(DONE)/system
	@echo "==> setup: installing Python packages into $(VENV) (a minute or two, from the network or pip's cache)"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	@$(BIN)/pip install --quiet --group build --group demo
	@touch $@

$(DONE)/dev: pyproject.toml | $(DONE)/packages
	@command -v promtool >/dev/null || .ci/system $(PYTHON) prometheus || true  # as below
	@command -v redis-server >/dev/null || .ci/system $(PYTHON) redis-server || true  # as below
	@command -v chromium >/dev/null || .ci/system $(PYTHON) chromium || true  # the tests that need it say so
	@echo "==> setup: installing the tools for tests and checks (about half a minute)"
	@$(BIN)/pip install --quiet --group dev
	@touch $@

$(DONE)/native: $(DONE)/packages executor/__init__.py $(wildcard _native/* proto/*.proto)
	@echo "==> setup: compiling the native modules that changed (up to a minute or two)"
	@$(BIN)/pip install --quiet --no-build-isolation --editable .
	@touch $@

# Compiled code with sanitizers has a virtual environment of its own, which sees the packages of the other one, but not
# the build of ours that is in there. That one is made first: what we depend on comes with it.
$(SANITIZE)/native: $(DONE)/native executor/__init__.py $(wildcard _native/* proto/*.proto)
	@echo "==> setup: compiling the native modules with sanitizers (two or three minutes when all have changed)"
	@[ -x $(SANITIZE)/venv/bin/python ] || $(BIN)/python -m venv --without-pip $(SANITIZE)/venv
	@$(BIN)/python -c '$(packages)' > "$$($(SANITIZE)/venv/bin/python -c '$(packages)')/packages.pth"
	@$(BIN)/pip --python $(SANITIZE)/venv/bin/python install --quiet --no-build-isolation --no-deps --editable . \
		--config-settings=install.strip=false \
		--config-settings=build-dir=$(SANITIZE)/cmake --config-settings=cmake.define.NATIVE_SANITIZE=true
	@touch $@

packages := import sysconfig; print(sysconfig.get_path("purelib"))

# Prefix of a command whose compiled code is watched; $(1) adds options. Python's own allocator would hide errors, and
# what Python never frees at its end is no leak.
watched = LD_PRELOAD="$$(cc -print-file-name=libasan.so) $$(cc -print-file-name=libubsan.so)" PYTHONMALLOC=malloc \
	ASAN_OPTIONS=detect_leaks=0:abort_on_error=1$(1) UBSAN_OPTIONS=print_stacktrace=1:abort_on_error=1$(1)

$(DONE)/wheel-tools: .ci/system pyproject.toml | $(DONE)/packages
	@$(BIN)/pip install --quiet --group wheel
	@.ci/system $(PYTHON) $$([ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo debootstrap)
	@touch $@
