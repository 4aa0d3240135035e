# `make run` and `make demo` are all a new user needs; `make help` lists the rest.
PYTHON ?= python3
DATA_DIR ?= data
# One more than cores, as servers and processes are waited for.
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
# Parts of benchmarks, and benchmarks that take more of MovieLens than the others.
BENCHMARK_PARTS := $(addprefix benchmarks/,constant_answer.py machine.py open_loop.py capacity_files.py capacity_servers.py capacity_sizing.py capacity_stages.py capacity_tables.py)
WITH_MOVIELENS := $(addprefix benchmarks/,lightfm_example.py ranker.py recommendations.py source_library.py)

# The tests start hundreds of processes, each of which would compile the platform anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run demo test test-services lint bench lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.runtime ## load the demo data if there is none, start Dagster, API and dashboard, print their addresses
	@$(BIN)/feedback-platform dev --data-dir $(DATA_DIR)

demo: $(VENV)/.runtime ## the whole loop once, without servers
	@$(BIN)/feedback-platform demo --data-dir $(DATA_DIR)

# Eight minutes at the most on two cores, and better six: see docs/testing.md.
test: $(VENV)/.development ## the tests that need nothing but Python packages
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-services: $(VENV)/.spark ## the tests against real servers, which it builds and starts, and the slow ones; none is skipped
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "slow and not services"
	@$(BIN)/pytest -m services

lint: $(VENV)/.development ## static checks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@MYPYPATH=benchmarks $(BIN)/mypy benchmarks/*.py
	@$(BIN)/lint-imports

bench: $(VENV)/.spark ## what the parts cost, each beside a peer; takes long, on an idle machine
	@for script in $(filter-out $(BENCHMARK_PARTS) $(WITH_MOVIELENS),$(wildcard benchmarks/*.py)); do $(BIN)/python $$script || exit 1; done
	@if [ -n "$(MOVIELENS_100K)" ]; then \
	  $(BIN)/python benchmarks/recommendations.py --movielens-100k "$(MOVIELENS_100K)"; \
	  $(BIN)/python benchmarks/source_library.py --movielens-100k "$(MOVIELENS_100K)"; \
	  $(BIN)/python benchmarks/ranker.py --movielens-100k "$(MOVIELENS_100K)"; \
	else echo "recommendations.py is left out: it needs MOVIELENS_100K=<path of u.data>"; \
	  $(BIN)/python benchmarks/source_library.py; $(BIN)/python benchmarks/ranker.py; fi
	@if [ -n "$(MOVIELENS_100K)" ] && [ -n "$(MOVIELENS_100K_TEST)" ]; then \
	  $(BIN)/python benchmarks/lightfm_example.py --movielens-100k "$(MOVIELENS_100K)" --test "$(MOVIELENS_100K_TEST)"; \
	else echo "lightfm_example.py is left out: it needs MOVIELENS_100K_TEST=<path of ua.test>, too"; fi

lock: $(VENV)/.development ## pin every dependency by version and hash again
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header \
	  pyproject.toml -o requirements/runtime.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header \
	  -c requirements/runtime.txt --group pyproject.toml:dev pyproject.toml \
	  -o requirements/development.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header \
	  -c requirements/runtime.txt --extra spark pyproject.toml -o requirements/spark.txt

clean: ## remove the environment and the servers of the tests; your data stays
	rm -rf $(VENV) .services

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11 to 3.13 is needed; name one with: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# Everything is pinned by hash. LightFM is compiled here, so a C compiler has to be there.
$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(VENV)/bin/python
	@command -v cc >/dev/null || command -v gcc >/dev/null || \
	  { echo "A C compiler is needed to build LightFM (Debian: apt-get install gcc)." >&2; exit 1; }
	@echo "Installing the pinned requirements into $(VENV) …"
	@$(BIN)/pip install --quiet --require-hashes -r requirements/runtime.txt
	@$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.development: requirements/development.txt $(VENV)/.runtime
	@$(BIN)/pip install --quiet --require-hashes -r requirements/development.txt
	@touch $@

# Spark is larger than everything else together, and only those who chose it need it.
$(VENV)/.spark: requirements/spark.txt $(VENV)/.development
	@$(BIN)/pip install --quiet --require-hashes -r requirements/spark.txt
	@touch $@
