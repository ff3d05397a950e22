"""Write the matrix that an AutoML tool may learn from, and the labels that each origin knew, into a folder outside the project.

Run it from the top of the project, in the project's environment: `python benchmarks/automl/export_matrix.py DATA_FOLDER MATRIX_FOLDER`.
No label that an origin did not know is written, so a tool that reads only this folder cannot see what it will be judged by.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from crm_lib.base.calendar import FiscalCalendar, as_days, horizon_end
from crm_lib.base.files import write_json, write_parquet
from crm_lib.base.settings import plain_values, read_settings
from crm_lib.evaluation.backtest import rolling_origins
from crm_lib.features.features import FEATURES, build_features, feature_settings
from crm_lib.features.snapshots import as_of_dates, cycle_spacing, known_at, label_wins
from crm_lib.ingestion.deals import build_deals, observed_until, records_start
from crm_lib.ingestion.mapping import map_tables
from crm_lib.ingestion.sources import read_raw

ROOT = Path(__file__).resolve().parents[2]
CALENDAR = ["month_of_quarter", "days_to_quarter_end", "day_of_quarter"]
COLUMNS = ["sales_agent", "product", "list_price", "regional_office", "manager"]
VARIANTS = {
    "same": [*FEATURES, *CALENDAR],  # what crm_lib's models read
    "all": [*FEATURES, *CALENDAR, *COLUMNS],  # and the columns known while a deal is open
    "plain": ["age_days", *CALENDAR, *COLUMNS],  # what a table of deals gives without crm_lib's features
}


def make_deals(folder: Path, params: dict) -> pd.DataFrame:
    """Read the export as the ingest stage does."""
    how = params["ingest"]
    named = map_tables(
        read_raw(folder, [name for name in how["tables"].values() if name]), how["columns"], how["tables"]
    )
    return build_deals(named, how["stages"], how["mend_names"], how["notation"]).deals


def make_snapshots(deals: pd.DataFrame, params: dict) -> pd.DataFrame:
    """Build the features at the as-of dates of the features stage."""
    how, first, last = (
        params["features"],
        records_start(deals),
        observed_until(deals, params["ingest"]["observed_until"]),
    )
    dates = as_of_dates(first, last, how["snapshot_every_days"] or cycle_spacing(deals), params["backtest"]["origins"])
    return build_features(deals, dates, first, feature_settings(params))


def add_calendar(snapshots: pd.DataFrame, calendar: FiscalCalendar) -> pd.DataFrame:
    """Say where in its quarter the first day to be forecast lies."""
    tomorrow = as_days(snapshots["as_of"]) + np.timedelta64(1, "D")
    left = (calendar.quarter_end(tomorrow) - tomorrow).astype("int64")
    month, day = calendar.month_of_quarter(tomorrow), calendar.day_of_quarter(tomorrow)
    return snapshots.assign(month_of_quarter=month, days_to_quarter_end=left, day_of_quarter=day)


def known_labels(
    snapshots: pd.DataFrame, deals: pd.DataFrame, origin: np.datetime64, horizon: int | str, calendar: FiscalCalendar
) -> pd.DataFrame:
    """Label the snapshots before the origin whose horizon had ended by then, from the deals as they stood then."""
    before = snapshots.loc[as_days(snapshots["as_of"]) < origin, ["as_of", "opportunity_id"]].reset_index(drop=True)
    labelled = before.assign(is_won=label_wins(before, known_at(deals, origin), horizon, origin, calendar)).dropna(
        subset="is_won"
    )
    return labelled.assign(origin=pd.Timestamp(origin), horizon=str(horizon))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the CRM's export")
    parser.add_argument("matrix", type=Path, help="folder to write, outside the project")
    given = parser.parse_args()
    if given.matrix.resolve().is_relative_to(ROOT):
        raise SystemExit(
            f"{given.matrix} lies in the project: rows of a CRM are never written there, so name a folder outside it."
        )
    params = plain_values(read_settings(ROOT / "params.yaml"))
    deals = make_deals(given.data, params)
    calendar, horizons = FiscalCalendar(params["calendar"]["fiscal_year_start"]), params["backtest"]["horizons"]
    first, last = records_start(deals), observed_until(deals, params["ingest"]["observed_until"])
    snapshots = make_snapshots(deals, params)
    origins = rolling_origins(first, last, horizons, params["backtest"]["origins"])
    fits = [
        (origin, horizon)
        for horizon in horizons
        for origin in origins
        if horizon_end(origin, horizon, calendar) <= as_days(last)
    ]
    labels = pd.concat(
        [known_labels(snapshots, deals, origin, horizon, calendar) for origin, horizon in fits], ignore_index=True
    )
    write_parquet(deals, given.matrix / "deals.parquet")
    write_parquet(snapshots, given.matrix / "snapshots.parquet")
    columns = dict.fromkeys(column for columns in VARIANTS.values() for column in columns)
    write_parquet(
        add_calendar(snapshots, calendar)[["as_of", "opportunity_id", *columns]], given.matrix / "matrix.parquet"
    )
    write_parquet(labels, given.matrix / "labels.parquet")
    plan = {"variants": VARIANTS, "fits": [{"origin": origin, "horizon": str(horizon)} for origin, horizon in fits]}
    write_json(plan, given.matrix / "plan.json")
    print(
        f"{len(fits)} fits at {len(origins)} origins, {len(labels):,} labelled rows of {len(snapshots):,} snapshots are in {given.matrix}."
    )


if __name__ == "__main__":
    main()
