# The newcomer's commands: demo, test, run. Nothing is needed but Python >= 3.11 and make.
PYTHON ?= python3
SHELL := /bin/bash
VENV := .venv
SECONDS ?= 1800
CALLS ?= 200
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all:
STAMP := $(VENV)/.installed
RUNS := $(VENV)/.runs

.PHONY: demo test run docs lint interop bench soak soak-browsers clean help compiled test-compiled image-check

help:            ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## */\t/' | expand -t 15

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Maskline needs Python 3.11 or later: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	@$(PYTHON) -m venv $(VENV) || (echo "no venv module: apt-get install python3-venv"; exit 1)

$(RUNS): pyproject.toml | $(VENV)/bin/python
	@echo "setting up $(VENV) (once; takes half a minute)"
	@$(PIP) --editable '.[webrtc]'
	@touch $(RUNS)

$(STAMP): pyproject.toml | $(VENV)/bin/python
	@echo "setting up $(VENV) with what tests need (once; takes a minute)"
	@$(PIP) --editable '.[dev,docs,otel,postgres,webrtc]'
	@touch $(STAMP) $(RUNS)

demo: $(RUNS)    ## place a masked call on loopback and watch it
	@$(BIN)/maskline demo

run: $(RUNS)     ## a node from configs/dev.toml in the foreground
	@$(BIN)/maskline serve --config configs/dev.toml

docs: $(STAMP)   ## the documentation as a site, in build/site/index.html
	@$(BIN)/python -m sphinx -W --keep-going -q -aE -b html -d build/doctrees docs build/site

test: $(STAMP)   ## all tests but the real phone programs
	@$(BIN)/python -m pytest -q -n 3 --dist loadfile -m "not interop"

compiled: $(STAMP) ## the media workers' packet path as machine code, in build/compiled (a C compiler is needed)
	@$(BIN)/python -m tests.compiled build/compiled

test-compiled: compiled ## the tests of media/ against it
	@test ! -e build/compiled/media || PYTHONSAFEPATH=1 PYTHONPATH=build/compiled:. MASKLINE_COMPILED=1 $(BIN)/python -m pytest -q -n 3 --dist loadfile -o pythonpath="build/compiled ." tests/media

lint: $(STAMP)   ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

interop: $(STAMP) ## calls with SIPp, baresip and linphone (Debian packages, installed when absent)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m interop tests/interop

build/peers/bin/b2bua_simple:
	@$(PYTHON) -m venv build/peers && build/peers/bin/pip install --quiet --disable-pip-version-check 'sippy~=2.5'

bench: $(STAMP) build/peers/bin/b2bua_simple ## processor time a packet beside the peers, and a call; calls a second; also into bench.txt
	@($(BIN)/python -m tests.bench.relay_bench 6; echo; $(BIN)/python -m tests.bench.latency_bench; echo; $(BIN)/python -m tests.bench.call_bench 4; echo; $(BIN)/python -m tests.bench.peers_bench; echo; $(BIN)/python -m tests.bench.parts_bench; echo; $(BIN)/python -m tests.bench.customers_bench 8; echo; $(BIN)/python -m tests.bench.lookup_bench) | tee bench.txt

soak: $(STAMP)   ## mixed calls for SECONDS=1800; memory, sockets and tasks must stay flat
	@$(BIN)/python -m tests.bench.soak $(SECONDS)

soak-browsers: $(STAMP) ## calls between browsers, CALLS=200; likewise
	@$(BIN)/python -m tests.bench.browser_soak $(CALLS)

image-check: $(STAMP) ## the image built by buildah and run by podman on a base of debootstrap, and compose.yaml with it, as root; needs no registry of images
	@$(BIN)/python -m tests.ship.image_check && $(BIN)/python -m tests.ship.compose_check

clean:           ## remove what the targets above made
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis var bench.txt
