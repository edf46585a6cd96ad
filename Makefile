# `make` alone lists the targets. Everything works from nothing but Python >= 3.11 and make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(abspath $(VENV))/bin
READY  := $(VENV)/.ready
BOOK   := _build/html
# What stands among the tests and serves tools, too.
HELPERS := tests:tests/support

# One thread: two OpenMP threads on a shared machine are slower than one.
export OMP_NUM_THREADS ?= 1
export PYTHONHASHSEED  ?= 0
# Jupyter's kernels must come from this environment, whatever the shell had activated.
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup book serve test check exercises faults blind hostile nbval site-check look breaks plant vary gpu bench check-all format lint clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + ": run make PYTHON=python3.12 setup, say") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	$(BIN)/python -m pip check
	@touch $@

setup: $(READY)  ## the environment, from nothing (honours pip's own variables)

book: $(READY)  ## build the book: strict, a warning is an error
	$(BIN)/python tools/build_book.py

serve: $(READY)  ## show the built book on http://127.0.0.1:8000
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(BOOK) 8000

test: $(READY)  ## the quick suite
	$(BIN)/python -m pytest -n 2 --dist loadscope -m "not slow"

check: $(READY)  ## everything that CI runs
	$(BIN)/python tools/check.py

check-all: $(READY)  ## what make check leaves to the night: whole classes, every attack both ways, each answer by check and by grade
	$(BIN)/python -m pytest -m large
	PYTHONPATH=$(HELPERS) $(BIN)/python tools/hostile.py --all
	PYTHONPATH=$(HELPERS) $(BIN)/python tools/agreement.py

exercises: $(READY)  ## release exercises/ from solutions/
	$(BIN)/lmcourse release

faults: $(READY)  ## do the assignments' tests catch wrong answers, and say why? DRAWS=100: each in 100 gradings (30 min)
	PYTHONPATH=$(HELPERS) $(BIN)/python tools/run_faults.py $(if $(DRAWS),--draws $(DRAWS)) $(MORE)

blind: $(READY)  ## ROUND=2: grade the frozen answers of a blind round, once; alone: what of them is caught today
	PYTHONPATH=$(HELPERS) $(BIN)/python tools/blind_round.py $(if $(ROUND),--round $(ROUND))

hostile: $(READY)  ## hostile and broken submissions, through lmcourse grade and nbgrader autograde
	PYTHONPATH=$(HELPERS) $(BIN)/python tools/hostile.py

nbval: $(READY)  ## run the chapters and the solutions again and compare
	$(BIN)/python tools/run_notebooks.py

site-check: $(READY)  ## the browser gate: offline, no errors, accessible, no dead link
	$(BIN)/python tools/site_check.py $(BOOK)

look: $(READY)  ## how the pages look: shares of height, honest minutes, what is cut off, contact sheets
	$(BIN)/python tools/look.py $(BOOK)

breaks: $(READY)  ## break each system of tests/systems.csv once: its test must fail
	$(BIN)/python tools/breaks.py

vary: $(READY)  ## tests, pages and assignments with other kernels, seeds and orders: an hour and a half
	$(BIN)/python tools/vary.py $(MORE)

# No $(READY): a machine with a GPU has its own Python with torch (make gpu PYTHON=…), and perhaps no network.
gpu:  ## on a machine that has one: the same results as on the CPU? how fast? at most eight minutes
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) tools/gpu.py

plant: $(READY)  ## plant one fault of each kind that a step of check is for: is it found?
	$(BIN)/python tools/plant.py

bench: $(READY)  ## speed beside peers, as ratios
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[bench]"
	$(BIN)/python -m benchmarks

lint: $(READY)  ## style and spelling, without changing anything
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/codespell

format: $(READY)  ## mend style and formatting
	$(BIN)/ruff check --fix . && $(BIN)/ruff format . && $(BIN)/nbstripout --keep-id solutions/*/*.ipynb

clean:  ## remove what was built (not the environment)
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
