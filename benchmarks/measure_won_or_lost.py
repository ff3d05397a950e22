"""
How often do projects that were run tell won from lost, and what would a leak give? Writes won_or_lost.json beside itself.

    python benchmarks/measure_won_or_lost.py NAME=PROJECT ...

Each PROJECT is a folder where `dvc repro` has run. Of the deals that were open on past days and had closed by the main
horizon's end: the accuracy of every model beside always saying the likelier answer, and the Brier skill of what is won
by then, as the model card says them; and the accuracies of the stage leak_story.
"""

import json
import sys
from pathlib import Path

import pandas as pd

from crm_lib.base.calendar import FiscalCalendar
from crm_lib.base.files import write_json
from crm_lib.base.settings import read_settings
from crm_lib.evaluation.judging import attach_labels, cluster_deals
from crm_lib.evaluation.won_or_lost import judge_won_or_lost, sum_up_leak
from crm_lib.features.tracked import list_spells, read_tracked
from crm_lib.ingestion.recording import labels_until
from crm_lib.leakage.verdicts import read_usable
from crm_lib.reporting.card_results import shown_models

FILE = Path(__file__).parent / "won_or_lost.json"


def measure(project: Path) -> dict:
    "Judge a project that was run."
    settings = read_settings(project / "params.yaml")
    metrics, artifacts = project / "reports" / "metrics", project / "artifacts"
    backtest, story = (json.loads((metrics / f"{name}.json").read_text("utf-8")) for name in ("backtest", "leak_story"))
    deals = read_usable(artifacts / "deals.parquet", metrics / "features.json")
    names = ("changes", "known_since", "activities")
    tracked = read_tracked(
        {name: artifacts / "ingest" / f"{name}.parquet" for name in names}, artifacts / "learned.json"
    )
    spells = list_spells(deals, tracked)
    last = labels_until(deals, settings.ingest.observed_until)
    calendar = FiscalCalendar(settings.calendar.fiscal_year_start)
    models = shown_models(backtest)
    said = pd.read_parquet(artifacts / "backtest.parquet", filters=[("model", "in", models)])
    judged = cluster_deals(attach_labels(said, spells, last, calendar), deals)
    how = {"draws": settings.model_card.bootstrap, "seed": settings.model_card.seed}
    found = judge_won_or_lost(judged, spells, models, settings.publish.main_horizon, last, calendar, **how)
    return {"chosen": backtest["chosen"], "won_or_lost": found, "leak": sum_up_leak(story["forecasts"])}


if __name__ == "__main__":
    if len(sys.argv) < 2 or not all("=" in given for given in sys.argv[1:]):
        sys.exit("Name projects where `dvc repro` has run, each as NAME=FOLDER.")
    known = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
    for given in sys.argv[1:]:
        name, _, folder = given.partition("=")
        known[name] = measure(Path(folder))
    write_json(known, FILE)
