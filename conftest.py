"""The longest test files start first, so that the workers end together; kernels of notebooks are forked."""

import gc
import os

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
    "pipeline/test_project",
    "ingestion/test_folders",
    "dashboards/test_pipeline_board",
    "forecasting/test_waterfall",
    "forecasting/test_forecast_change",
    "scoring/test_drivers",
)  # more than four seconds each, measured with --durations=0: `make test-fast` leaves them out
SERVED = (
    "test_one_truth",
    "test_server",
    "test_lab",
)  # the whole product as its users have it: with test_browser_* what `make test-browser` runs
EXPORT = "#| hide\nimport nbdev\n\nnbdev.nbdev_export()"  # the last cell of a library notebook


def _name(item: pytest.Item) -> str:
    "Name an item's file with its room."
    return f"{item.path.parent.name}/{item.path.stem}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem in SERVED or item.path.stem.startswith("test_browser_"):
            item.add_marker("browser")
        if _name(item) in LONG:
            item.add_marker("long")
        if getattr(item, "cell", {}).get("source", "").startswith(EXPORT):
            item.add_marker(pytest.mark.skip(reason="in a test it exports nothing, and importing nbdev takes time"))
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(_name(item), len(LONG)))


nbval.kernel.KernelManager = manage_forked
