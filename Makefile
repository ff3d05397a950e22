# `make` alone explains the targets. CI runs exactly these.
PYTHON ?= python3.11
JOBS ?= 2
# Notebooks wait for their kernels more than they compute.
KERNELS ?= 4
BIN := .venv/bin
STARTED = $(if $(DASHBOARDS),--dashboards-port $(DASHBOARDS)) $(if $(SERVICE),--service-port $(SERVICE))
MEASURED := --source crm_lib --omit "crm_lib/tests/*,crm_lib/_modidx.py" --json --out build/reached.json
LINTED := nbs benchmarks conftest.py setup.py
export PATH := $(CURDIR)/$(BIN):$(PATH)
.DEFAULT_GOAL := help
.PHONY: help venv lock repro test test-fast test-slow test-browser test-services lint format secrets lab dashboards serve services services-stop status architecture dag prepare readme \
	dev-setup dev-start quick-start data-pipeline train monitor-reports lint-actions docs-build docs-open

help: ## explain the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: .venv/.installed ## make the virtual environment .venv with the locked set of packages

lock: ## renew requirements.lock from requirements.in, with uv or pip-compile
	@command -v uv >/dev/null || command -v pip-compile >/dev/null || { echo "Neither uv nor pip-compile is here: pip install uv"; exit 1; }
	@sed '/^[^#]/,$$d' requirements.lock > requirements.lock.head
	@if command -v uv >/dev/null; then \
		uv pip compile requirements.in --python-version 3.11 --quiet --no-header --no-emit-index-url --no-emit-find-links --output-file requirements.lock; \
	else \
		pip-compile requirements.in --quiet --no-header --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements.lock; \
	fi || { rm requirements.lock.head; exit 1; }
	@cat requirements.lock.head requirements.lock > requirements.lock.new && mv requirements.lock.new requirements.lock && rm requirements.lock.head

repro: .venv/.installed ## restore the data, rerun the stages whose inputs changed, name the reports
	@git rev-parse --git-dir >/dev/null 2>&1 || { echo "DVC needs git, and this folder is no git repository: clone the project, or run \`git init\` here."; exit 1; }
	@$(BIN)/crm data restore
	@$(BIN)/python -m json.tool .dvc/tmp/rwlock >/dev/null 2>&1 || rm -f .dvc/tmp/rwlock
	@$(BIN)/dvc repro
	@$(BIN)/crm reports

data-pipeline: .venv/.installed ## restore the data and rerun what leads from the tables to the features
	@$(BIN)/crm data restore
	@$(BIN)/dvc repro validate explore features

train: .venv/.installed ## rerun what leads from the features to the model in use: leak story, tuning, backtest, training, registry
	@$(BIN)/crm data restore
	@$(BIN)/dvc repro leak_story models

monitor-reports: .venv/.installed ## restore the data, rerun what leads to the monitor, and say what it found (ends with 3 for medium, 4 for high)
	@$(BIN)/crm data restore
	@$(BIN)/dvc repro monitor
	@$(BIN)/crm monitor

quick-start: repro ## from a fresh clone to reports, dashboards and service in one go, and say where they are; Ctrl-C ends it
	@echo "The reports: $(CURDIR)/reports/index.html"
	@$(BIN)/crm start $(STARTED)

dev-setup: .venv/.installed ## make the environment of a developer: the virtual environment, hooks before a commit, notebooks merged by cells
	@$(BIN)/pre-commit install
	@git config merge.nbdev-merge.driver "nbdev_merge %O %A %B %P"
	@git config diff.ipynb.textconv "jupyter nbconvert --log-level ERROR --to markdown --stdout"

dev-start: .venv/.installed ## start JupyterLab, dashboards and service and say where they are; Ctrl-C ends them: `make dev-start DASHBOARDS=8866 SERVICE=8000 LAB=8888`, ROOT=1 where you are root and mean it
	@$(BIN)/crm start --lab $(if $(LAB),--lab-port $(LAB)) $(if $(ROOT),--allow-root) $(STARTED)

test: .venv/.installed ## run the tests: coverage, library notebooks, guides, shape of the repository, wheel; not what is left to the night
	@mkdir -p build
	$(BIN)/python -m slipcover $(MEASURED) -m pytest --numprocesses $(JOBS) --dist loadfile -m "not browser and not nightly and not service"
	$(BIN)/python -m crm_lib.tests.support.reached build/reached.json 90
	IN_TEST=1 $(BIN)/python -m pytest --numprocesses $(KERNELS) --dist loadfile --nbval-lax nbs/lib

test-fast: .venv/.installed ## run what answers in a minute and a half: to be asked after every change
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile -m "not browser and not slow and not long and not service"

test-slow: .venv/.installed ## run the tests marked slow, what a night is for
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile -m "slow and not browser and not service"

test-services: .venv/.installed ## run the tests that need PostgreSQL, Redis, S3 or MLflow beside them, which they start themselves
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile -m service

test-browser: .venv/.installed ## run the tests that start the dashboards or JupyterLab, in a real browser where there is one
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile -m browser

lint: .venv/.installed ## ask ruff, mypy and import-linter, whether the modules are those of the notebooks, and look over containers and workflows
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m crm_lib.tests.support.ratchet
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/python -m crm_lib.tests.support.units
	$(BIN)/python -m pytest crm_lib/tests/whole/test_shape.py -k "exporting or dvc_yaml"
	@$(MAKE) --no-print-directory lint-actions

lint-actions: .venv/.installed ## ask check-jsonschema and zizmor about the workflows, without the network
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml deploy/github/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --offline --quiet .github deploy/github

format: .venv/.installed ## mend what ruff can mend, and set the notebooks' lines
	$(BIN)/ruff check --fix $(LINTED)
	$(BIN)/ruff format $(LINTED)

secrets: .venv/.installed ## look for passwords and keys in every file, the outputs of notebooks too
	@git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --baseline .secrets.baseline

lab: .venv/.installed ## open JupyterLab
	$(BIN)/jupyter lab

dashboards: .venv/.installed ## serve the dashboards behind a login: `make dashboards PORT=8866`, TOKEN=1 for a quick look without a password
	@$(BIN)/crm dashboards $(if $(PORT),--port $(PORT)) $(if $(HOST),--host $(HOST)) $(if $(TOKEN),--token)

serve: .venv/.installed ## answer programs over HTTP: `make serve PORT=8000`, WORKERS=2 for two processes; crm keys create makes a key
	@$(BIN)/crm serve $(if $(PORT),--port $(PORT)) $(if $(HOST),--host $(HOST)) $(if $(WORKERS),--workers $(WORKERS))

services: .venv/.installed ## start PostgreSQL, Redis, S3 and MLflow on this machine alone; their passwords come to stand in .services/env
	@$(BIN)/crm services start

services-stop: .venv/.installed ## stop them; what they hold stays in .services
	@$(BIN)/crm services stop

status: .venv/.installed ## say what is up, how old data, model and bundle are, and what to do
	@$(BIN)/crm status

architecture: .venv/.installed ## compare architecture/workspace.dsl with the rooms, and draw it where c4studio is installed
	@$(BIN)/python -m crm_lib.tests.support.drawing
	@if command -v c4 >/dev/null; then c4 render architecture/workspace.dsl -o docs/architecture; \
	else echo "The pictures in docs/architecture were not drawn again: that needs Node.js and \`pip install c4studio\` (Python 3.13)."; fi

docs-build: .venv/.installed ## build the documentation: every chapter and guide is run once; needs no network
	@$(BIN)/python -m crm_lib.pipeline.docs_site --jobs $(JOBS)

docs-open: ## say where the documentation lies; a browser opens it without a server
	@test -f build/docs/html/index.html || { echo "There is no documentation yet: run \`make docs-build\`."; exit 1; }
	@echo "Open $(CURDIR)/build/docs/html/index.html"

dag: .venv/.installed ## derive dvc.yaml from pipeline.yaml
	@$(BIN)/crm dag

prepare: .venv/.installed ## export the notebooks to crm_lib, renew the rooms' indexes, clean, derive dvc.yaml: run before a commit
	$(BIN)/nbdev_export
	@$(BIN)/python -m crm_lib.tests.support.indexes
	$(BIN)/nbdev_clean
	@$(BIN)/crm dag

readme: .venv/.installed ## render nbs/index.ipynb as README.md
	$(BIN)/jupyter nbconvert --log-level WARN --to markdown --execute --TagRemovePreprocessor.enabled=True --TagRemovePreprocessor.remove_input_tags=remove-input --output-dir . --output README.md nbs/index.ipynb

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing. Debian 12, Ubuntu 22.04: apt-get install python3.11 python3.11-venv; elsewhere name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments. Debian, Ubuntu: apt-get install python3.11-venv"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.locked: requirements.lock | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@touch $@

.venv/.installed: .venv/.locked settings.ini setup.py crm_lib/pipeline/environment.py crm_lib/pipeline/startup_adapter.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'from crm_lib.pipeline.environment import write_startup; write_startup()'
	@touch $@
