# `make` alone explains the targets. CI runs exactly these.
PYTHON ?= python3.11
JOBS ?= 2
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
.DEFAULT_GOAL := help
.PHONY: help venv repro test test-browser lab dashboards dag prepare readme

help: ## explain the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: .venv/.installed ## make the virtual environment .venv with the locked set of packages

repro: .venv/.installed ## restore the data, rerun the stages whose inputs changed, name the reports
	@git rev-parse --git-dir >/dev/null 2>&1 || { echo "DVC needs git, and this folder is no git repository: clone the project, or run \`git init\` here."; exit 1; }
	@$(BIN)/crm data restore
	@$(BIN)/python -m json.tool .dvc/tmp/rwlock >/dev/null 2>&1 || rm -f .dvc/tmp/rwlock
	@$(BIN)/dvc repro
	@$(BIN)/crm reports

test: .venv/.installed ## run the tests: coverage, library notebooks, shape of the repository, wheel
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile -m "not browser" --cov --cov-fail-under 85
	IN_TEST=1 $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --nbval-lax nbs/lib

test-browser: .venv/.installed ## run the tests that start the dashboards or JupyterLab, in a real browser where there is one
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile -m browser

lab: .venv/.installed ## open JupyterLab
	$(BIN)/jupyter lab

dashboards: .venv/.installed ## serve the dashboards behind a login: `make dashboards PORT=8866`, TOKEN=1 for a quick look without a password
	@$(BIN)/crm dashboards $(if $(PORT),--port $(PORT)) $(if $(HOST),--host $(HOST)) $(if $(TOKEN),--token)

dag: .venv/.installed ## derive dvc.yaml from pipeline.yaml
	@$(BIN)/crm dag

prepare: .venv/.installed ## export the notebooks to crm_lib, clean them, derive dvc.yaml: run before a commit
	$(BIN)/nbdev_export
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

.venv/.installed: .venv/.locked settings.ini setup.py crm_lib/pipeline/environment.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'from crm_lib.pipeline.environment import write_startup; write_startup()'
	@touch $@
