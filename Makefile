# Commands for working on tfae. They need Python 3.10 or newer, a C++ compiler and a package index; all
# other dependencies are installed in .venv.
#
#   make demo     set up, train a stacked autoencoder on digits, plot reconstructions
#   make test     set up, run the tests

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LIBRARY := tfae/ops/_subpixel.so
CPP = $(wildcard ops/*.cc ops/*.h tests/ops/*.cc tests/ops/*.h tools/bench/*.cu)
DEMO := runs/demo

.DEFAULT_GOAL := install
.PHONY: install demo test test-slow bazel-test check format docs bench recipes faults fuzz mutants \
        matrix dist tensorboard clean

install: $(INSTALLED) $(LIBRARY)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "tfae needs Python 3.10 or newer")'
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(BIN)/python pyproject.toml setup.py
	$(BIN)/python -m pip install --quiet --editable '.[test,check]'
	touch $@

# Without a compiler no library is written and stock ops are used; make then tries again.
$(LIBRARY): $(INSTALLED) $(wildcard ops/*.cc ops/*.h) ops/build.py
	$(BIN)/python ops/build.py
	@touch -c $@

demo: install
	$(BIN)/tfae train --dataset=digits --model=dense --units=128,64,16 --activation=elu \
	    --pretraining=greedy --pretraining_epochs=30 --epochs=100 --logdir=$(DEMO)
	$(BIN)/tfae evaluate --logdir=$(DEMO)
	$(BIN)/tfae reconstruct --logdir=$(DEMO)
	@echo
	@echo "The run is in $(DEMO), its figures in $(DEMO)/figures. To see the curves in TensorBoard:"
	@echo "    make tensorboard        then open http://localhost:6006"

test: install
	$(BIN)/python -m pytest -n auto --dist loadfile

test-slow: install
	$(BIN)/python -m pytest -m slow

# Works without a network with Debian's bazel-bootstrap: see WORKSPACE.
bazel-test: $(INSTALLED)
	TFAE_PYTHON=$(CURDIR)/$(BIN)/python bazel --batch test --test_output=errors //...

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CPP)

format: install
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP)

docs: install
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	$(BIN)/sphinx-build -q --fail-on-warning -b html docs build/docs
	@echo "The documentation is in build/docs/index.html"

bench: install
	$(BIN)/python -m pip install --quiet --editable '.[peers]'
	$(BIN)/python tools/bench/training.py

recipes: install
	$(BIN)/python tools/experiments/recipes.py

# docs/evidence/reliability.md describes both.
faults: install
	$(BIN)/python tests/campaigns/faults.py --rounds=100

fuzz: install
	$(BIN)/python tests/campaigns/fuzz.py --cases=1000000
	$(BIN)/python tests/campaigns/absurd_flags.py
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	$(BIN)/python tests/campaigns/guided_fuzz.py

# The tool describes the mutations; docs/evidence/mutants.md has the results.
mutants: install
	$(BIN)/python -m pip install --quiet --editable '.[mutants]'
	$(BIN)/python tools/mutants.py

# Every version of TensorFlow in its own environment; takes an hour or two.
matrix: install
	$(BIN)/python tools/release/matrix.py

# A source archive and a wheel with the compiled op, checked as the package index checks them.
dist: install
	$(BIN)/python -m pip install --quiet --editable '.[release]'
	$(BIN)/python tools/release/dist.py

tensorboard: install
	$(BIN)/python tools/board.py --logdir runs

clean:
	rm -rf $(VENV) build dist *.egg-info $(LIBRARY)
	rm -f bazel-*
	find tfae tests tools ops -name __pycache__ -prune -exec rm -rf {} +
