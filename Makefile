# Every target creates its own prerequisites, from a fresh clone with only Python >= 3.11 installed.
#
#   PYTHON=…        the interpreter of the virtual environment
#   PIP_ARGS=…      extra arguments for pip, e.g. an index with CPU wheels of torch (CONTRIBUTING.md, "torch without CUDA")
#   SAFEVLM_PORT=…  the port of `make serve` (8000)
#   CHECKPOINT=…    the checkpoint of `make serve` (SAFEVLM_CHECKPOINT, or else weights/safevlm-small)
#   NANO_ARGS=…     arguments of `safevlm nano build`, e.g. NANO_ARGS=--small
#   TEST_ARGS=…     arguments of pytest, e.g. TEST_ARGS="tests/safety_core -x", or -n 0 for one process
#   FUZZ_CASES=…    number of damaged images of `make fuzz`; its other limits grow in proportion (1000000)
#   FUZZ_SEED=…     seed of the images; the same seed gives the same images (default: the time)
#   PARTS_ARGS=…    arguments of `safevlm parts fetch`, e.g. PARTS_ARGS="--wheels DIR" without a network
#   BENCH=…         measurements of `make bench`, e.g. BENCH="overhead classify"

# The reader of lettering has no release for Python 3.13 and later, so these come last.
PYTHON ?= $(shell for before in 13 99; do for p in python3 python3.12 python3.11 python3.13; do \
	$$p -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, $$before))" 2>/dev/null && { echo $$p; exit; }; \
	done; done)
VENV := .venv
BIN := $(VENV)/bin
export SAFEVLM_PORT ?= 8000
CHECKPOINT ?= $(or $(SAFEVLM_CHECKPOINT),weights/safevlm-small)
FUZZ_CASES ?= 1000000
FUZZ_SEED ?= $(shell date +%s)
BENCH ?= start overhead classify chat refusal overload hostile scaling explain rail generators soak

.DEFAULT_GOAL := help
.PHONY: help serve small bring-small parts test lint types format fuzz bench screenshots nano clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 13

# Two targets must not run pip in the same environment at the same time.
.NOTPARALLEL:

# Only `make serve` falls back to the nano where the small model's parts could not be brought, without a network for
# example. A checkpoint that an operator sets by SAFEVLM_CHECKPOINT is served, or not at all.
ifeq ($(patsubst %/,%,$(CHECKPOINT))$(SAFEVLM_CHECKPOINT),weights/safevlm-small)
BRING := bring-small
FALLBACK := SAFEVLM_FALLBACK_CHECKPOINT="$(or $(SAFEVLM_FALLBACK_CHECKPOINT),weights/safevlm-nano)"
endif

serve: $(BRING) $(VENV)/.serve  ## serve $CHECKPOINT (weights/safevlm-small) on :$SAFEVLM_PORT
	exec env SAFEVLM_CHECKPOINT="$(CHECKPOINT)" $(FALLBACK) $(BIN)/python -m service

bring-small:
	@$(MAKE) --no-print-directory small || echo "safevlm-small's parts could not be brought, see above. Without them, the fallback is served." >&2

small: $(VENV)/.small  ## bring the pretrained parts of safevlm-small (116 MB), and assemble its backbone
	$(BIN)/safevlm parts fetch $(PARTS_ARGS)

# A few tests use the small model's parts. Without a network, they are skipped; a failed download is no failed test.
parts: $(VENV)/.dev
	@$(BIN)/safevlm parts fetch --quiet $(PARTS_ARGS) \
		|| echo "SAFEVLM-SMALL IS NOT TESTED: its parts could not be fetched, see above." >&2

# One thread per process, because more threads do not speed up the small models. Adjacent tests stay together, because
# they share servers and checkpoints; an idle process steals tests from the end of another process's list.
test: lint types parts  ## run everything that CI runs: format, lint, types, import order, tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal $(TEST_ARGS)

lint: $(VENV)/.dev  ## check format, lint rules, import order, dependencies and the layout's bounds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/deptry service safety_core
	$(BIN)/python -m tools.measure_layout --check

# On a busy machine, mypy's workers can exceed an internal timeout (exit status 2; type errors are 1): retry in one process.
types: $(VENV)/.dev  ## check types of code and tests, strictly
	$(BIN)/mypy --num-workers 2 || { [ $$? -eq 2 ] && $(BIN)/mypy; }

format: $(VENV)/.dev  ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

fuzz: $(VENV)/.dev  ## try damaged pictures and generated requests for half an hour; FUZZ_CASES=… for more or fewer
	FUZZ_CASES=$(FUZZ_CASES) FUZZ_SEED=$(FUZZ_SEED) $(BIN)/python -m pytest tests/fuzz -v -s --timeout 0

bench: $(VENV)/.bench  ## run all measurements, about half an hour; BENCH="NAME …" for single ones
	for name in $(BENCH); do $(BIN)/python -m bench $$name || exit 1; done

screenshots: $(VENV)/.dev  ## create the screenshots of the playground in docs
	$(BIN)/python -m tests.service.playground.screenshots docs

nano: $(VENV)/.serve  ## train the nano checkpoint from scratch
	$(BIN)/safevlm nano build $(NANO_ARGS)

clean:  ## remove the virtual environment and every cache
	rm -rf $(VENV) build/lib build/bdist.* dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none of python3, python3.11-3.13 is" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Announce an installation: $(1) its purpose, $(2) gigabytes to download, $(3) gigabytes on disk.
define announce
@echo "Installing $(1) into $(VENV): about $(2) GB to download, $(3) GB on disk with a CPU build of torch;"
@echo "3 GB more to download and 6 GB more on disk with the CUDA build (CONTRIBUTING.md, \"torch without CUDA\"). This takes minutes, once."
endef

# RapidOCR requires an OpenCV with windows, which needs libGL; pip installs it over the build without. The last one wins.
define install_headless_opencv
$(BIN)/python -m pip install --quiet $(PIP_ARGS) --force-reinstall --no-deps 'opencv-python-headless>=4.10,<6'
endef

# The stamps are younger than pyproject.toml once its requirements are installed, so nothing is installed twice.
$(VENV)/.serve: pyproject.toml | $(BIN)/python
	$(call announce,the server,0.4,1.5)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --editable .
	@touch $@

$(VENV)/.small: pyproject.toml | $(BIN)/python
	$(call announce,the server and what reads the small model's parts,0.6,1.9)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --editable '.[small,ocr]'
	$(install_headless_opencv)
	@touch $(VENV)/.serve $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(call announce,the server and its development tools,1.0,3.0)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --editable '.[dev]'
	$(install_headless_opencv)
	@touch $(VENV)/.serve $(VENV)/.small $@

$(VENV)/.bench: pyproject.toml | $(BIN)/python
	$(call announce,the server and its measurements,0.5,1.7)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --editable '.[bench]'
	@touch $(VENV)/.serve $@
