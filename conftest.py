"""The longest test files start first, so that the workers end together; kernels of notebooks are forked."""

import gc
import os
from pathlib import Path

import nbval.kernel
import pytest

from crm_lib.tests.support.kernels import manage_forked

# Every core has a worker already: threads of a worker would only wait for each other. What shap would compile anew in
# every process, for longer than it then runs, is run as it is written; test_other_crm has one process that compiles.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

# Tests are many small objects that live long: looking through them all every 700 took a quarter of the collection.
gc.set_threshold(50_000, 10, 10)

LONG = (
    "whole/test_pipeline",
    "whole/test_other_crm",
    "whole/test_histories",
    "leakage/test_audit",
    "whole/test_chosen",
    "whole/test_truth",
    "whole/test_malformed",
    "models/test_close_hazard",
    "ingestion/test_commands",
    "evaluation/test_backtest",
    "whole/test_shape",
    "whole/test_guides",
    "scoring/test_past",
    "whole/test_rewritten",
    "registry/test_store",
    "forecasting/test_rolling_origin",
    "models/test_storage",
    "models/test_segments",
    "scoring/test_explanation",
    "evaluation/test_tuning",
    "scoring/test_what_if",
    "leakage/test_leak_story",
    "evaluation/test_screening",
    "reporting/test_pages",
    "registry/test_commands",
    "models/test_win_model",
    "forecasting/test_origins",
    "pipeline/test_runs",
    "registry/test_settlement",
    "forecasting/test_forecast",
    "pipeline/test_sample",
    "registry/test_champion",
    "whole/test_recorded",
    "scoring/test_uploads",
    "forecasting/test_arrivals",
    "features/test_snapshots",
    "pipeline/test_project",
    "ingestion/test_folders",
    "dashboards/test_pipeline_board",
    "forecasting/test_waterfall",
    "forecasting/test_forecast_change",
    "scoring/test_drivers",
    "features/test_features",
    "simulation/test_simulate",
    "registry/test_tracking",
    "pipeline/test_plan",
    "features/test_tracked",
    "dashboards/test_desk",
    "evaluation/test_history_worth",
    "reporting/test_freshness",
    "simulation/test_gallery",
    "evaluation/test_inner_origins",
    "simulation/test_filtering",
    "evaluation/test_judging",
    "whole/test_kernels",
    "scoring/test_file_scores",
    "dashboards/test_state_fields",
    "pipeline/test_overview",
    "service/test_how_to",
    "scoring/test_edits",
    "scoring/test_file_answers",
    "ingestion/test_kaggle",
    "registry/test_versions",
    "service/test_load",
    "scoring/test_looks",
)  # some three seconds or more each, measured with --durations=0: `make test-fast` leaves them out
SERVED = (
    "test_one_truth",
    "test_server",
    "test_lab",
)  # the whole product as its users have it: with test_browser_* what `make test-browser` runs
EXPORT = "#| hide\nimport nbdev\n\nnbdev.nbdev_export()"  # the last cell of a library notebook


def _name(path: Path) -> str:
    "Name a file of tests with its room."
    return f"{path.parent.name}/{path.stem}"


def _marks(path: Path) -> list[str]:
    "List the marks that every test of a file has."
    is_served = path.stem in SERVED or path.stem.startswith("test_browser_")
    return [*(["browser"] if is_served else []), *(["long"] if _name(path) in LONG else [])]


def pytest_ignore_collect(collection_path, config):
    "Leave a file of which no test would run where it is: what it alone needs is not imported either."
    asked = config.option.markexpr.split(" and ")
    return any(f"not {mark}" in asked for mark in _marks(collection_path)) or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        for mark in _marks(item.path):
            item.add_marker(mark)
        if getattr(item, "cell", {}).get("source", "").startswith(EXPORT):
            item.add_marker(pytest.mark.skip(reason="in a test it exports nothing, and importing nbdev takes time"))
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(_name(item.path), len(LONG)))


nbval.kernel.KernelManager = manage_forked
