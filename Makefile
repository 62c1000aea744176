# What a newcomer types. Every target makes what it needs in .venv and does nothing twice.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
DISTRIBUTIONS := --editable . --editable datasets --editable plugins/ct --editable plugins/ecg --editable plugins/eeg --editable plugins/molecules --editable plugins/robotics
MANIFESTS := constraints.txt pyproject.toml datasets/pyproject.toml plugins/ct/pyproject.toml plugins/ecg/pyproject.toml plugins/eeg/pyproject.toml plugins/molecules/pyproject.toml plugins/robotics/pyproject.toml
STAMPS := $(VENV)/stamps
# One thread a process: results do not depend on how many cores there are, and parallel tests do not fight for them.
SINGLE := OMP_NUM_THREADS=1 MPLBACKEND=Agg
TOOLS := $(STAMPS)/tools

.DELETE_ON_ERROR:
.PHONY: demo test reproduce bench docs lint format clean

demo: $(STAMPS)/demo  ## train, explain and audit an interpretable model of lung nodules on real annotations
	$(BIN)/pellucid run ct-malignancy --jobs 2

test: $(STAMPS)/test  ## all tests but the nightly ones and the papers' acceptance tests
	$(SINGLE) $(BIN)/python -m pytest -n 2 --dist loadgroup -m "not nightly and not reproduction"

reproduce: $(STAMPS)/test  ## the papers' acceptance tests
	$(SINGLE) $(BIN)/python -m pytest -n 2 --dist loadgroup -m "reproduction and not nightly"

bench: $(STAMPS)/test  ## speed and memory beside a bare loop; ratios are printed, nothing fails for being slow
	@for script in tests/benchmarks/bench_*.py; do echo "$$script"; $(SINGLE) $(BIN)/python $$script || exit 1; done

docs: $(TOOLS)  ## the documentation, its notebook run, warnings as errors
	$(SINGLE) $(BIN)/python -m sphinx -W --keep-going --quiet --builder html docs docs/_build/html
	@echo "docs/_build/html/index.html"

lint: $(TOOLS)  ## style, formatting, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(TOOLS)  ## mend what can be mended without thinking
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what the targets made, run folders excepted
	rm -rf $(VENV) docs/_build build

# torch first and alone: on a machine whose index offers a CPU build of this version, nothing later replaces it.
$(STAMPS)/torch: constraints.txt
	@echo "Installing into $(VENV): a few minutes the first time"
	$(PYTHON) -m venv $(VENV)
	$(PIP) "torch==2.13.0"
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/demo: $(STAMPS)/torch $(MANIFESTS)
	$(PIP) $(DISTRIBUTIONS)
	@touch $@

$(STAMPS)/test: $(STAMPS)/demo
	$(PIP) --editable ".[test]"
	@touch $@

$(TOOLS): $(STAMPS)/test
	$(PIP) --editable ".[lint,docs]"
	@touch $@
