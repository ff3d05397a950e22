"""The longest test files start first, so that the workers end together; kernels of notebooks talk over sockets."""

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbval.kernel
import pytest
from jupyter_client.manager import KernelManager

LONG = (
    "test_pipeline",
    "test_chosen",
    "test_other_crm",
    "test_malformed",
    "test_truth",
    "test_audit",
    "test_tuning",
    "test_kaggle",
    "test_shape",
    "test_one_truth",
    "test_forecast",
    "test_cli",
    "test_uploads",
    "test_backtest",
    "test_tracking",
    "test_calendar",
    "test_outlook",
    "test_win_model",
    "test_what_if",
    "test_close_hazard",
    "test_champion",
    "test_periods",
    "test_screening",
    "test_dag",
    "test_rewritten",
    "test_explanation",
    "test_leak_story",
    "test_metrics",
    "test_guides",
)  # more than eight seconds each, measured: `make test-fast` leaves them out
SERVED = (
    "test_one_truth",
    "test_server",
    "test_lab",
)  # the whole product as its users have it: with test_browser_* what `make test-browser` runs


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem in SERVED or item.path.stem.startswith("test_browser_"):
            item.add_marker("browser")
        if item.path.stem in LONG:
            item.add_marker("long")
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))


def _start_on_sockets(**options: Any) -> KernelManager:
    "Two workers may draw the same free TCP port; a socket in a new folder belongs to one kernel alone."
    folder = tempfile.mkdtemp(prefix="crm-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return KernelManager(connection_file=str(Path(folder) / "k.json"), transport="ipc", **options)


nbval.kernel.KernelManager = _start_on_sockets
