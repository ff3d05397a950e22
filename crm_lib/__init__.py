"""Honest win probabilities and revenue forecasts from a CRM export.

    import crm_lib

    crm_lib.write_sample("acme")              # a small simulated company; or `dvc repro` on your own export
    project = crm_lib.open_project("acme")    # what it has published, and of which day

    project.scores()                          # every open deal: chance by horizon, grade, strongest reasons
    project.forecast()                        # revenue of the month and the quarters to come
    project.record()                          # how far such forecasts have missed before
    deal = project.scores()["opportunity_id"].iloc[0]
    project.explain(deal).reasons             # why this chance
    project.explain(deal, value=9000).expected_value   # and what would change it

Own data come in by the command line (`crm map`, `crm data`, `dvc repro`); nbs/guides begins with the first steps.
This file has no notebook: nbdev writes the version only. What is named here is loaded when it is first used.
"""

__version__ = "0.1.0"

from importlib import import_module as _import_module
from typing import Any as _Any

_DOORS = {
    "CrmError": "crm_lib.base.config",
    "Project": "crm_lib.pipeline.project",
    "open_project": "crm_lib.pipeline.project",
    "write_sample": "crm_lib.pipeline.sample",
}
__all__ = ["CrmError", "Project", "open_project", "write_sample"]


def __getattr__(name: str) -> _Any:
    "Load a name of the door when it is first asked for."
    if name not in _DOORS:
        raise AttributeError(f"module 'crm_lib' has no attribute {name!r}")
    globals()[name] = found = getattr(_import_module(_DOORS[name]), name)
    return found


def __dir__() -> list[str]:
    "List the names of the door too."
    return sorted([*globals(), *_DOORS])
