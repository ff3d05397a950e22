"""Bring one folder per shape of history through `crm map`, `crm data csv` and `dvc repro`; writes histories.json.

Run it from the top of the project: `python benchmarks/measure_histories.py FOLDER [SHAPE ...]`. FOLDER is made; a clone
of the repository's last commit is put into it for each shape. Up to the snapshots a shape takes a minute on two cores;
with `--whole` the pipeline goes on to the end, which takes some minutes more.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from crm_lib.base.files import write_json
from crm_lib.features.state_features import STATE_FEATURES
from crm_lib.simulation.chronicle import HistoryCompany, pipeline_on, simulate_journeys
from crm_lib.simulation.exports import (
    export_activities,
    export_field_history,
    export_imports,
    export_opportunity_history,
    export_stage_dates,
    export_stage_history,
    export_weekly_reports,
)
from crm_lib.simulation.journeys import LOST_WORD, WON_WORD, Journeys

ROOT = Path(__file__).resolve().parents[1]
JOURNEYS = Journeys(n_deals=1200, days=600, cycle_days=35.0, deleted_per_year=0.05, late_changes=0.05)
UNTIL = ("explore", "validate", "features")  # stages of a run that is not whole
HEADERS = {
    "opportunity_id": "Deal ID",
    "sales_agent": "Owner",
    "product": "Product",
    "account": "Account",
    "deal_stage": "Stage",
    "engage_date": "Created Date",
    "close_date": "Close Date",
    "close_value": "Value Won",
    "amount": "Amount",
    "expected_close_date": "Expected Close Date",
}


def deals_of(company: HistoryCompany) -> pd.DataFrame:
    """Show the deals on the last day under the headers of no CRM in particular."""
    return pipeline_on(company, company.export_day).drop(columns="close_value").rename(columns=HEADERS)


def with_activities(company: HistoryCompany, **tables: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Add the activities, under headers of their own."""
    done = export_activities(company).drop(columns="recorded_at")
    done.columns = ["Deal ID", "Time", "Activity", "By"]
    return {**tables, "activities": done}


def stage_history(company: HistoryCompany) -> dict[str, pd.DataFrame]:
    told = export_stage_history(company)
    told.columns = ["Deal ID", "Changed At", "From Stage", "To Stage"]
    return with_activities(company, deals=deals_of(company), stage_history=told)


def field_history(company: HistoryCompany) -> dict[str, pd.DataFrame]:
    told = export_field_history(company, ("stage", "amount", "expected_close_date", "sales_agent"))
    names = {
        "stage": "Stage",
        "amount": "Amount",
        "expected_close_date": "Expected Close Date",
        "sales_agent": "Owner",
    }
    told["field"] = told["field"].map(names)
    told.columns = ["Deal ID", "Edit Date", "Field", "Old Value", "New Value"]
    return with_activities(company, deals=deals_of(company), field_history=told)


def opportunity_history(company: HistoryCompany) -> dict[str, pd.DataFrame]:
    told = export_opportunity_history(company)
    told.columns = [
        "Opportunity ID",
        "Last Modified",
        "From Stage",
        "To Stage",
        "Amount",
        "Close Date",
        "Created Date",
    ]
    owner = pipeline_on(company, company.export_day).set_index("opportunity_id")["sales_agent"]
    told.insert(1, "Opportunity Owner", told["Opportunity ID"].map(owner))
    closed = told["To Stage"].isin([WON_WORD, LOST_WORD])  # a CRM writes the day when a deal is closed
    told["Close Date"] = told["Close Date"].mask(closed, told["Last Modified"].dt.normalize())
    return {"opportunity_history": told}


def stage_dates(company: HistoryCompany) -> dict[str, pd.DataFrame]:
    dates = export_stage_dates(company).rename(columns={"opportunity_id": "Deal ID"})
    return with_activities(company, deals=deals_of(company).merge(dates, on="Deal ID", how="left"))


def weekly_reports(company: HistoryCompany) -> dict[str, pd.DataFrame]:
    days = pd.date_range(company.start, company.export_day, freq="7D")
    told = export_weekly_reports(company, days, with_closed=True)
    told["expected_close_date"] = told["close_date"].fillna(told["expected_close_date"])
    told = told.drop(columns="close_date").rename(
        columns={**HEADERS, "reported_date": "Snapshot Date", "expected_close_date": "Close Date"}
    )
    return {"reports": told}


def imports(company: HistoryCompany) -> dict[str, pd.DataFrame]:
    """One folder per month of the last year; the first comes with the mapping."""
    days = pd.date_range(company.export_day - pd.Timedelta(days=364), company.export_day, freq="28D")
    told = export_imports(company, days)
    shown = {f"{day:%Y-%m-%d}": tables["sales_pipeline"] for day, tables in told.items()}
    return {f"{day}/deals": table.drop(columns="close_value").rename(columns=HEADERS) for day, table in shown.items()}


SHAPES: dict[str, Callable[[HistoryCompany], dict[str, pd.DataFrame]]] = {
    "stage_history": stage_history,
    "field_history": field_history,
    "opportunity_history": opportunity_history,
    "stage_dates": stage_dates,
    "weekly_reports": weekly_reports,
    "imports": imports,
}


def write_shape(name: str, company: HistoryCompany, folder: Path) -> list[Path]:
    """Write the export of a shape; the folders to import, the earliest first."""
    for table, frame in SHAPES[name](company).items():
        path = folder / f"{table}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(path, index=False, date_format="%Y-%m-%d %H:%M")
    return sorted(path for path in folder.iterdir() if path.is_dir()) or [folder]


def run(words: list[str], project: Path) -> float:
    """Run a command in a project and give its seconds; what it said is shown where it fails."""
    start = time.perf_counter()
    done = subprocess.run(
        words,
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    with (project / "run.log").open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(words)}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return time.perf_counter() - start


def look(project: Path) -> dict[str, object]:
    """Read what came of a run; a page with a trace in it ends all."""
    read = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in (project / "reports" / "metrics").glob("*.json")
    }
    ingest, pages = read["ingest"], sorted((project / "reports").glob("*.html"))
    traced = [path.name for path in pages if "Traceback" in path.read_text(encoding="utf-8")]
    if traced:
        raise SystemExit(f"{project}: a trace stands in {', '.join(traced)}.")
    snapshots = pd.read_parquet(project / "artifacts" / "snapshots.parquet")
    known = snapshots.reindex(columns=list(STATE_FEATURES)).notna().mean().round(3)  # none where no history came
    return {
        "deals": ingest["deals"],
        "stages": ingest["stages"],
        "last_day": ingest["last_day"],
        "histories": ingest["histories"],
        "snapshots": len(snapshots),
        "states_known": {name: known[name] for name in ("stage_place", "amount_days", "close_pushes", "activities_30")},
        "pages": len(pages),
    }


def measure(name: str, company: HistoryCompany, folder: Path, whole: bool) -> dict[str, object]:
    """Write a shape, clone the repository, and do what a user does."""
    exported, project = folder / f"export_{name}", folder / name
    folders = write_shape(name, company, exported)
    subprocess.run(["git", "clone", "-q", str(ROOT), str(project)], check=True)
    for stale in [*(project / "reports" / "metrics").glob("*.json"), project / "dvc.lock"]:
        stale.unlink()  # they tell of the sample
    seconds = {"map": run(["crm", "map", str(folders[-1])], project)}
    first, *later = folders
    seconds["data"] = run(["crm", "data", "csv", str(first), "--new-source", name], project)
    for more in later:
        seconds["data"] += run(["crm", "data", "csv", str(more)], project)
    seconds["repro"] = run(["dvc", "repro", *(() if whole else UNTIL)], project)
    return {**look(project), "seconds": {key: round(value) for key, value in seconds.items()}}


def main() -> None:
    """Measure the shapes that are named, or all."""
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    names, whole = [word for word in sys.argv[2:] if word != "--whole"], "--whole" in sys.argv
    company = simulate_journeys(JOURNEYS, seed=1)
    steady = simulate_journeys(replace(JOURNEYS, renamed_at=1), seed=1)  # a new word for a stage would stop an import
    result_path = Path(__file__).with_name("histories.json")
    results = json.loads(result_path.read_text(encoding="utf-8")) if result_path.is_file() else {}
    for name in names or SHAPES:
        results[name] = measure(name, steady if name == "imports" else company, folder, whole)
        write_json(results, result_path)
        print(name, json.dumps(results[name], default=str), flush=True)


if __name__ == "__main__":
    main()
