# Two commands are enough on a fresh machine: make quickstart, make test.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt
TEST_DATA := $(abspath ../shared/data)
export HEPML_TEST_DATA ?= $(wildcard $(TEST_DATA))

.PHONY: help quickstart test test-lite lint types bench clean
.DEFAULT_GOAL := help

help:
	@echo "make quickstart  install, train two taggers on data/, compare them, draw the plots"
	@echo "make test        install everything, optional parts too, and run all tests"
	@echo "make test-lite   the tests that need only the required dependencies, in their own environment"
	@echo "make lint types  ruff; mypy --strict"
	@echo "make bench       the benchmarks in examples/benchmarks"
	@echo "make clean       remove the environments and the runs"

# Each stamp is an installed set of packages; it is made again when the constraints change.
$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "[setup] the environment $(VENV), about a minute the first time"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(INSTALL) torch
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "[setup] test and lint tools, h5py, TensorBoard, Pythia, FastJet"
	@$(INSTALL) --editable ".[generate,hdf5,tensorboard,dynamics,graphs,triton,onnx,oracles,test,lint]" setuptools wheel ninja
	@echo "[setup] torch-scatter: compiled once, 3 to 7 minutes; pip keeps the wheel"
	@$(INSTALL) --no-build-isolation torch-scatter
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-test
	@echo "[setup] what the benchmarks compare with: weaver-core, lgatr, pelican-lite, torch-geometric"
	@$(INSTALL) --editable ".[bench]"
	@touch $@

.venv-lite/.installed: pyproject.toml constraints.txt
	@test -x .venv-lite/bin/python || $(PYTHON) -m venv .venv-lite
	@.venv-lite/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt torch
	@.venv-lite/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --editable ".[test]"
	@touch $@

RUNS := runs/quickstart

quickstart: $(VENV)/.installed
	$(BIN)/hepml train ParticleFlow data/train.root --validation data/val.root \
	    --epochs 12 --batch-size 256 -o $(RUNS)/particle-flow --overwrite
	$(BIN)/hepml train LorentzNet data/train.root --validation data/val.root --features none \
	    --max-jets 5000 --max-validation-jets 2000 --epochs 3 --batch-size 32 \
	    -o $(RUNS)/lorentznet --overwrite
	$(BIN)/hepml evaluate $(RUNS)/particle-flow $(RUNS)/lorentznet data/test.root -o $(RUNS)/comparison --overwrite

# Each process of the tests has a file at a time, and one thread.
IN_PARALLEL := --numprocesses auto --dist loadfile
test test-lite: export OMP_NUM_THREADS := 1

test: $(VENV)/.installed-test
	$(BIN)/pytest $(IN_PARALLEL) $(PYTEST_ARGS)

test-lite: .venv-lite/.installed
	.venv-lite/bin/pytest $(IN_PARALLEL) $(PYTEST_ARGS)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

# One after another: they would slow each other.
BENCHMARKS := loading shuffling segments edges pair_messages tensor_products models scaling training_step dynamics

bench: $(VENV)/.installed-bench
	set -e; for name in $(BENCHMARKS); do $(BIN)/python examples/benchmarks/$$name.py; done

clean:
	rm -rf $(VENV) .venv-lite runs
