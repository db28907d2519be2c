# `make demo` and `make test` are all a newcomer needs; both set up what they use.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
OLDEST := .venv-oldest
BIN := $(VENV)/bin
PEERS := .peers
EDGE := $(BIN)/sasrec-edge
DEMO := demo
JS := runtime/js

.PHONY: help setup js web conformance bench-js demo test test-oldest lint format types goldens docs check-docs dist peers bench-quality bench-warm-start bench-training bench-peers bench-memory attack race clean
.DEFAULT_GOAL := help

help:  ## Show what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/ready  ## Install the tested versions into .venv

$(VENV)/ready: pyproject.toml constraints.txt
	@echo "Setting up $(VENV): a minute or two, TensorFlow is large." >&2
	@$(PYTHON) -c 'import sys, ensurepip; assert sys.version_info >= (3, 11)' 2>/dev/null || { \
	  echo "Python 3.11 or newer with venv is needed, $(PYTHON) is not. On Debian: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $@

demo: setup  ## Train, evaluate, export, check and run MovieLens-100K
	$(EDGE) train --data ml-100k --out $(DEMO)/run --force
	$(EDGE) export $(DEMO)/run --out $(DEMO)/bundle --force
	$(EDGE) verify $(DEMO)/bundle
	$(BIN)/python tools/demo_user.py $(DEMO)/run $(DEMO)/bundle
	$(EDGE) report $(DEMO)/bundle --data ml-100k --out $(DEMO)/report --force

js: $(JS)/node_modules/ready  ## Install and build the JavaScript package and the page (needs Node 20 and npm)
	cd $(JS) && npm run --silent build

# No script of a package runs: onnxruntime-node would fetch GPU libraries from elsewhere.
$(JS)/node_modules/ready: $(JS)/package.json $(JS)/package-lock.json
	cd $(JS) && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

web: setup js  ## Show BUNDLE (default demo/bundle) in a browser, on this machine only
	$(BIN)/python tools/serve_web.py $(or $(BUNDLE),$(DEMO)/bundle)

conformance: setup js  ## Run the goldens of BUNDLE (default demo/bundle) on every client
	$(BIN)/python tools/conformance.py $(or $(BUNDLE),$(DEMO)/bundle)

bench-js: js  ## Time BUNDLE (default demo/bundle) in Node and Chromium
	cd $(JS) && node tools/bench.mjs $(abspath $(or $(BUNDLE),$(DEMO)/bundle))

test: setup  ## Run all tests
	$(BIN)/python -m pytest -n 2 --dist loadscope

test-oldest: $(OLDEST)/ready  ## Run the runtime's tests with the oldest versions that pyproject.toml promises
	PYTHONPATH=runtime:export:train $(OLDEST)/bin/python -m pytest tests/runtime -n 2 --dist loadscope

# Nothing of ours is installed there, so that pip does not refuse what the tests are to try.
$(OLDEST)/ready: tests/oldest.txt
	@$(PYTHON) -c 'import sys; assert sys.version_info[:2] == (3, 11)' 2>/dev/null || { \
	  echo "The oldest versions are pinned for Python 3.11: make test-oldest PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install -q --disable-pip-version-check -r $<
	@touch $@

lint: setup  ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup  ## Mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: setup  ## Check types
	$(BIN)/mypy

goldens: setup  ## Write the frozen bundle of the tests again (review the difference)
	$(BIN)/python tests/golden/make_bundle.py

docs: setup  ## Write docs/cli.md again from the command line itself
	$(BIN)/python tools/write_cli_reference.py

check-docs: setup  ## Check that docs/cli.md is what the command line says, and that the documents hold
	$(BIN)/python tools/write_cli_reference.py --check
	$(BIN)/python -m pytest tests/contract/test_documents.py tests/contract/test_commands.py -m "not tf"

dist: setup  ## Build the wheel and the source archive into dist/
	$(BIN)/python -m build --no-isolation

peers: $(PEERS)/recbole/ready $(PEERS)/rectools/ready $(PEERS)/replay/ready  ## Install the libraries that benchmarks compare with

$(PEERS)/%/ready: tools/peers/%.txt
	@$(PYTHON) -c 'import sys; assert sys.version_info[:2] == (3, 11)' 2>/dev/null || { \
	  echo "The peers are pinned for Python 3.11: make peers PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(PEERS)/$*
	$(PEERS)/$*/bin/python -m pip install -q --disable-pip-version-check -r $<
	@touch $@

bench-quality: setup  ## Train three seeds on DATA (default ml-100k); PRESET=paper for another preset
	$(BIN)/python tools/bench_quality.py $(or $(DATA),ml-100k) --preset $(or $(PRESET),modern)

bench-warm-start: setup  ## Compare training from yesterday's RUN with training from scratch on DATA (default ml-100k)
	$(BIN)/python tools/bench_warm_start.py --data $(or $(DATA),ml-100k)

bench-training: setup peers  ## Time training on DATA side by side with RecBole and RecTools
	$(BIN)/python tools/bench_training.py --data $(or $(DATA),ml-100k)

bench-peers: setup $(PEERS)/replay/ready  ## Time recommending side by side with RePlay and naive conversions
	$(BIN)/python tools/bench_peers.py

bench-memory: setup  ## Train on 20 million interactions of 1 million items and print the memory it took
	$(BIN)/python tools/bench_memory.py

attack: setup  ## Try to break the kit with BUNDLE (default demo/bundle); see tools/attack/README.md
	$(BIN)/python tools/attack/all.py $(or $(BUNDLE),$(DEMO)/bundle) --scale $(or $(SCALE),1)

race: setup  ## Replace BUNDLE (default demo/bundle) under its readers for SECONDS (default 600)
	$(BIN)/python tools/attack/race.py $(or $(BUNDLE),$(DEMO)/bundle) --seconds $(or $(SECONDS),600)

clean:  ## Remove what the targets above made
	rm -rf $(VENV) $(OLDEST) $(PEERS) $(DEMO) $(JS)/node_modules $(JS)/dist build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
