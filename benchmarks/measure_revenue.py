"""Hold the revenue of the open pipeline against simulated companies whose deals have histories; writes revenue.json.

Run it from the top of the project: `python benchmarks/measure_revenue.py 6 3000` (companies, and deals of each; some minutes each on two cores).
Each company is looked at twice: as a CRM that keeps histories shows it (amounts of the day; a model that reads states), and as one that shows the last
day alone (prices; the same model without states). Every window is the four weeks after one of the weekly days of `evaluate_origins`, or a month or
quarter after a month end. `deciles` asks of the value alone: what the amounts of deals won later come to over what was paid, by tenths of the amount,
where large deals are won less and paid less.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measure_models import HERE, HORIZONS, PARAMS, settings_of

from crm_lib.base.files import write_json
from crm_lib.evaluation.variants import VARIANTS
from crm_lib.features.snapshots import cycle_spacing, known_at, month_ends, spaced_dates
from crm_lib.features.tracked import Tracked, learn_tracked
from crm_lib.forecasting.intervals import interval_coverage
from crm_lib.forecasting.outlook import ForecastLimits, Outlook, make_weekly
from crm_lib.forecasting.record import wape
from crm_lib.forecasting.rolling_origin import Evaluation, evaluate_origins
from crm_lib.ingestion.deals import build_deals, observed_until, records_start
from crm_lib.ingestion.imports import import_tables
from crm_lib.ingestion.mapping import map_tables
from crm_lib.ingestion.sources import read_raw
from crm_lib.scoring.deal_value import deal_values
from crm_lib.scoring.open_value import learn_amounts, open_values
from crm_lib.simulation.chronicle import HistoryCompany
from crm_lib.simulation.gallery import make_company

TABLES = ("sales_pipeline", "accounts", "products", "sales_teams")
FIRST_SEED = 20
ORIGINS = 12
MODEL = "cure_table"
MODEL_OF_STATES = f"{MODEL}+states" if "states" in VARIANTS else MODEL
METHODS = ("model", "stage_weighted", "last_period", "seasonal_mean")


def deals_of(company: HistoryCompany) -> pd.DataFrame:
    "Take the tables of a company through import and ingestion."
    with tempfile.TemporaryDirectory() as folder:
        data = import_tables({name: company.tables[name] for name in TABLES}, Path(folder) / "data")
        return build_deals(map_tables(read_raw(data)), company.stages, PARAMS["ingest"]["mend_names"]).deals


def outlook_of(deals: pd.DataFrame, tracked: Tracked | None) -> Outlook:
    "Lay out what a forecast is made from."
    first, last, own = records_start(deals), observed_until(deals, None), PARAMS["forecast"]
    limits = ForecastLimits(own["least_origins"], own["interval_origins"], own["apart"], own["widest"])
    how = (first, last, {"chosen": MODEL if tracked is None else MODEL_OF_STATES}, settings_of(1), limits)
    how = (*how, own["arrivals_days"], own["draws"], own["seed"])
    bare = Outlook(deals, deals[:0], *how, tracked=learn_tracked(tracked, deals, last))
    days = [
        spaced_dates(first, last, PARAMS["features"]["snapshot_every_days"] or cycle_spacing(deals)),
        month_ends(first, last),
    ]
    return replace(bare, snapshots=make_weekly(bare, [], {})(deals, np.unique(np.concatenate(days))))


def look_back(outlook: Outlook) -> Evaluation:
    return evaluate_origins(outlook, make_weekly(outlook, [], {}), HORIZONS, ORIGINS)


def track(company: HistoryCompany) -> Tracked:
    "Give what the company's CRM tracked."
    undo_days = PARAMS["features"]["undo_days"]
    return Tracked(company.changes, company.known_since, company.activities, company.stages, (), undo_days)


def judge(pasts: list[Evaluation]) -> dict[str, Any]:
    "Give the error of every method on the open pipeline and the hits of the intervals, over all windows of all companies."
    records = pd.concat([past.record.assign(company=place) for place, past in enumerate(pasts)])
    rows = records[(records["scope"] == "open_pipeline") & records["period"].isin(["four_weeks", "month", "quarter"])]
    intervals = pd.concat([past.intervals for past in pasts], ignore_index=True)
    return {
        "windows": len(intervals) // 2,
        "coverage": interval_coverage(intervals),
        "coverage_open_pipeline": interval_coverage(intervals, "open_pipeline"),
        "wape_open_pipeline": {
            period: {"windows": len(part), **{name: wape(part["actual"], part[name]) for name in METHODS}}
            for period, part in rows.groupby("period")
        },
        "model_over_actual": {
            period: part["model"].sum() / part["actual"].sum() for period, part in rows.groupby("period")
        },
    }


def pay_less(deals: pd.DataFrame, tracked: Tracked, seed: int) -> pd.DataFrame:
    "Let half of the wins of large deals be lost, and the others be paid at three quarters of their amount."
    rng = np.random.default_rng(seed)
    amounts = tracked.changes[tracked.changes["column"] == "amount"].drop_duplicates("opportunity_id")
    first = deals["opportunity_id"].map(amounts.set_index("opportunity_id")["number"])
    is_large = (deals["stage"] == "won") & (first > first.quantile(0.7))
    is_lost = is_large & (rng.random(len(deals)) < 0.5)
    value = deals["close_value"].mask(is_large, 0.75 * deals["close_value"]).mask(is_lost, 0.0)
    return deals.assign(stage=deals["stage"].mask(is_lost, "lost"), close_value=value)


def deciles_of(company: HistoryCompany) -> pd.DataFrame:
    "Value the deals open on a day, two thirds through the history, that were won later."
    tracked = track(company)
    deals = pay_less(deals_of(company), tracked, company.seed)
    outlook = outlook_of(deals, replace(tracked, changes=tracked.changes[tracked.changes["column"] == "amount"]))
    days = np.sort(outlook.snapshots["as_of"].unique())
    parts = []
    for day in days[len(days) // 2 :: 6]:
        known = known_at(deals, day)
        seen = outlook.snapshots[outlook.snapshots["as_of"] <= day]
        today = seen[seen["as_of"] == day].merge(
            deals.loc[deals["close_value"] > 0, ["opportunity_id", "close_value"]], on="opportunity_id"
        )
        rule = learn_amounts(known, seen)
        said = {
            "by_amount": open_values(known, today, rule).to_numpy(),
            "by_price": deal_values(known, today).to_numpy(),
        }
        parts.append(today[["amount", "close_value"]].assign(**said, by="" if rule is None else rule.by))
    return pd.concat(parts, ignore_index=True)


def judge_deciles(rows: pd.DataFrame) -> dict[str, Any]:
    "Give what the values come to over what was paid, by tenths of the amount."
    rows = rows[rows["amount"] > 0]
    tenth = pd.qcut(rows["amount"], 10, labels=False)
    sums = rows.groupby(tenth)[["close_value", "by_amount", "by_price"]].sum()
    over = {name: (sums[name] / sums["close_value"]).tolist() for name in ("by_amount", "by_price")}
    return {"landmarks": len(rows), "bands": rows["by"].value_counts().to_dict(), **over}


def measure(seed: int, n_deals: int) -> tuple[dict[str, Evaluation], pd.DataFrame]:
    "Look at a company in both ways, and at the values of its deals."
    company = make_company("histories", seed, n_deals)
    deals = deals_of(company)
    views = {"with_histories": track(company), "last_day_alone": None}
    return {name: look_back(outlook_of(deals, tracked)) for name, tracked in views.items()}, deciles_of(company)


def sum_up(found: list[tuple[dict[str, Evaluation], pd.DataFrame]], n_deals: int) -> dict[str, Any]:
    "Judge all companies together."
    what = {"world": "histories", "companies": len(found), "deals": n_deals, "models": [MODEL_OF_STATES, MODEL]}
    views = {name: judge([pasts[name] for pasts, _ in found]) for name in found[0][0]}
    return {**what, **views, "deciles": judge_deciles(pd.concat([valued for _, valued in found]))}


def main(companies: int = 6, n_deals: int = 3000) -> None:
    "Measure and write the file, anew after each company."
    found = []
    for seed in range(FIRST_SEED, FIRST_SEED + companies):
        found.append(measure(seed, n_deals))
        write_json(sum_up(found, n_deals), HERE / "revenue.json", digits=4)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
