# Every target sets itself up first. `make demo` and `make test` are each one command from a fresh
# clone; docs/install.md has the same steps without make.

PYTHON ?= python3
VENV := .venv
# The build of torch: `make setup TORCH_INDEX=<index of the wanted build>` for another one.
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
# Test processes: each one pays for importing torch, so a single file runs faster in one (WORKERS=1).
WORKERS ?= 2
PYTEST_ARGS ?=
FUZZ ?= 1
# The lowest and the newest transformers that are supported, beside the one in constraints.txt.
VERSIONS ?= 5.3.0 5.24.0
# kernels of torch : threads : seed of all that tests draw
MATRIX ?= default:1:0 avx2:1:0 avx512:1:0 default:2:1 avx2:2:0 avx512:2:1

BIN := $(VENV)/bin
STAMP := $(VENV)/.chatstill-ready
TORCH_FROM := $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),-c constraints.txt)
IN_PROCESSES := $(if $(filter-out 0 1,$(WORKERS)),-n $(WORKERS) --dist loadfile,)

.PHONY: help setup demo test test-all test-matrix test-versions fuzz bench lint messages format wheel-check clean
.DEFAULT_GOAL := help

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

setup: $(STAMP) ## Make .venv with chatstill and everything it needs

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "chatstill needs Python 3.11 or newer, and '$(PYTHON)' is not one." >&2; \
	  echo "Name one that is:  make $(firstword $(MAKECMDGOALS) setup) PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(TORCH_FROM) "$(TORCH)"
	$(BIN)/python -m pip install -c constraints.txt -e ".[dev,demo,data,words,index]"
	@touch $@

demo: $(STAMP) ## The main job on real data: a table, and report.html
	$(BIN)/python benchmarks/demo.py $(DEMO_ARGS)

test: $(STAMP) ## The tests
	$(BIN)/python -m pytest -m "not slow" $(IN_PROCESSES) $(PYTEST_ARGS)

test-all: $(STAMP) ## The tests, the slow ones too
	$(BIN)/python -m pytest $(IN_PROCESSES) $(PYTEST_ARGS)

test-matrix: $(STAMP) ## The tests under other CPU kernels, two threads and another seed (an hour)
	@table=; failed=0; for way in $(MATRIX); do \
	  set -- $$(echo $$way | tr : ' '); echo "== kernels $$1, threads $$2, seed $$3"; \
	  if ATEN_CPU_CAPABILITY=$$1 OMP_NUM_THREADS=$$2 CHATSTILL_TEST_SEED=$$3 \
	    $(BIN)/python -m pytest -m "not slow" $(IN_PROCESSES) $(PYTEST_ARGS); \
	  then found=passed; else found=FAILED; failed=1; fi; \
	  table="$$table$$(printf '  %-10s%-10s%-6s%s' $$1 $$2 $$3 $$found)\n"; done; \
	printf "  kernels   threads   seed  outcome\n$$table"; exit $$failed

test-versions: $(STAMP) ## The smoke tests on the lowest and the newest transformers
	@for version in $(VERSIONS); do echo "== transformers $$version"; room=$$(mktemp -d); \
	  $(BIN)/python -m pip install -q --target "$$room" "transformers==$$version" 2>"$$room/pip.log" \
	    || { cat "$$room/pip.log"; exit 1; }; \
	  PYTHONPATH="$$room" $(BIN)/python -c "import transformers as t; assert t.__version__ == '$$version', t.__file__" \
	    && PYTHONPATH="$$room" $(BIN)/python -m pytest -m smoke $(IN_PROCESSES) $(PYTEST_ARGS) \
	    || { rm -rf "$$room"; exit 1; }; rm -rf "$$room"; done

fuzz: $(STAMP) ## Tens of thousands of made-up configurations and data files (FUZZ=0.1 for a tenth)
	CHATSTILL_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/fuzz tests/config/test_any_input.py $(PYTEST_ARGS)

bench: $(STAMP) ## Training speed on this machine (needs GLUE's SST-2 files; see --help)
	$(BIN)/python benchmarks/train_speed.py $(BENCH_ARGS)

lint: $(STAMP) ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

messages: $(STAMP) ## Write down what users are told, by code (tests/messages.txt)
	$(BIN)/python -m tests.messages

format: $(STAMP) ## Bring the style in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel-check: $(STAMP) ## Build the wheel, unpack it away from the sources, look for its parts
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	  $(BIN)/python -m pip wheel -q . --no-deps -w "$$folder" && \
	  $(BIN)/python -m pip install -q --no-deps --target "$$folder/site" "$$folder"/chatstill-*.whl && \
	  PYTHON="$(abspath $(BIN)/python)" .ci/check-wheel "$$folder/site"

clean: ## Remove the environment and caches; runs and data stay
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
