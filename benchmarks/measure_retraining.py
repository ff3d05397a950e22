"""Retrain a simulated company every week for six months, with other habits from the fourth on; writes retraining.json.

    python benchmarks/measure_retraining.py [--deals 2000] [--seeds 1 2 3] [--weeks 26] [-o FILE]
Every Friday the tables are cut to what was known, the model is fitted anew (tuning fixed), judged by the gate on the forecasts
that it shares with the champion, and published; the history must hold every week though few bundles are kept. In the
last month the champion's Brier score within 30 days, on outcomes that the simulation knows, is held against that of a
model which saw nothing but the new regime, and of the last model before it. The stages' notebooks are left out, which changes no number.
"""

import argparse
import os
import tempfile
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd

from crm_lib.base.calendar import FiscalCalendar
from crm_lib.base.files import write_json, write_parquet
from crm_lib.base.horizons import win_column
from crm_lib.base.settings import check_settings
from crm_lib.evaluation.origins import training_sets
from crm_lib.features.features import build_features, feature_settings
from crm_lib.features.snapshots import label_wins, month_ends
from crm_lib.ingestion.deals import build_deals, observed_until, records_start
from crm_lib.ingestion.mapping import map_tables
from crm_lib.ingestion.tables import RawTable
from crm_lib.models.close_hazard import make_model
from crm_lib.pipeline.sample import sample_params
from crm_lib.registry.bundles import write_bundle
from crm_lib.registry.decisions import RECORD_KEYS, compare_records, decide
from crm_lib.registry.history import list_past_bundles, publish_bundle, read_past_scores
from crm_lib.registry.in_use import InUse
from crm_lib.registry.tracking import RegisteredVersion
from crm_lib.simulation.simulate import simulate_crm
from crm_lib.simulation.world import make_world

KIND, HORIZON, KEEP, ORIGINS = "cure_table", 30, 5, 4
CHANGE, FIRST = pd.Timestamp("2025-02-01"), pd.Timestamp("2024-11-01")
PARAMS = sample_params()
CALENDAR = FiscalCalendar(PARAMS["calendar"]["fiscal_year_start"])


def simulate(deals: int, seed: int) -> pd.DataFrame:
    "Simulate a company whose habits change."
    world = make_world({"deals": deals, "regime_change": f"{CHANGE:%Y-%m-%d}"})
    raw = [
        RawTable(name, frame.astype("string").astype(object).where(frame.notna(), None), name, "simulated")
        for name, frame in simulate_crm(world, seed=seed).items()
    ]
    return build_deals(map_tables(raw), PARAMS["ingest"]["stages"]).deals


def cut(deals: pd.DataFrame, day: pd.Timestamp, since: pd.Timestamp | None = None) -> pd.DataFrame:
    "Give the deals as they were known on a day."
    known = deals[deals["engage_date"].notna() & (deals["engage_date"] <= day)].copy()
    if since is not None:
        known = known[known["engage_date"] >= since]
    later = ~(known["close_date"] <= day)
    known.loc[later, "stage"], known.loc[later, "close_date"], known.loc[later, "close_value"] = (
        "engaging",
        pd.NaT,
        np.nan,
    )
    return known.reset_index(drop=True)


def fit(known: pd.DataFrame, day: pd.Timestamp) -> object:
    "Fit the model on what was known on a day."
    first = records_start(known)
    days = np.union1d(month_ends(first, day)[1:], [np.datetime64(day, "D")])
    snapshots = build_features(known, days, first, feature_settings(PARAMS))
    return make_model(KIND, CALENDAR, seed=0).fit(*training_sets(known, snapshots, day, first)[1])


def ask(model: object, deals: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    "Ask for the chances of the deals open on a day, with what came of them."
    known = cut(deals, day)
    today = build_features(known, np.array([np.datetime64(day, "D")]), records_start(known), feature_settings(PARAMS))
    chance = model.predict_win(today, [HORIZON])[HORIZON].to_numpy()
    won = label_wins(today, deals, HORIZON, observed_until(deals), CALENDAR)
    return today[["as_of", "opportunity_id"]].assign(probability=chance, is_won=won.to_numpy())


def record_of(deals: pd.DataFrame, day: pd.Timestamp, models: dict[pd.Timestamp, object]) -> pd.DataFrame:
    "Give what this kind of model said at the month ends before a day; each origin's model is fitted once."
    parts = []
    for origin in pd.to_datetime(month_ends(records_start(deals), day)[-ORIGINS - 1 : -1]):
        if origin not in models:
            models[origin] = fit(cut(deals, origin), origin)
        parts.append(ask(models[origin], deals, origin).assign(origin=origin, horizon=str(HORIZON)))
    return pd.concat(parts)[[*RECORD_KEYS, "probability"]]


def publish(said: pd.DataFrame, day: pd.Timestamp, version: int) -> None:
    "Publish a week's scores."
    scores = said.drop(columns="is_won").rename(columns={"probability": win_column(HORIZON)})
    write_parquet(scores.assign(grade="B", model_version=version), "artifacts/scores.parquet")
    used = InUse("simulated", version, KIND, f"{version:064d}", f"{day:%Y-%m-%d}")
    write_bundle("artifacts/bundle", ["artifacts/scores.parquet"], used, day, check_settings(PARAMS))
    publish_bundle(keep=KEEP)


def brier(rows: pd.DataFrame) -> float:
    return float(((rows["probability"] - rows["is_won"]) ** 2).mean())


def run_weeks(deals: pd.DataFrame, days: list[pd.Timestamp], age: int) -> tuple[list[dict], list[dict]]:
    "Retrain every week; what was decided, and how the last month's chances did."
    champion, model, weeks, judged, at_origins = None, None, [], [], {}
    before = record = None
    frozen = fit(cut(deals, CHANGE), CHANGE)
    for number, day in enumerate(days, 1):
        known = cut(deals, day)
        fresh, said_before = fit(known, day), record_of(deals, day, at_origins)
        new = RegisteredVersion("m", number, tags={"as_of": f"{day:%Y-%m-%d}"})
        found = compare_records(said_before, record, known, day, CALENDAR, 0) if record is not None else None
        decision = decide(new, champion, found, age)
        if decision.promoted:
            champion, model, record = new, fresh, said_before
        said = ask(model, deals, day)
        publish(said, day, champion.version)
        weeks.append({"day": f"{day:%Y-%m-%d}", "promoted": decision.promoted, "version": champion.version})
        if day > days[-1] - pd.Timedelta(days=28) and day > CHANGE + pd.Timedelta(days=45):
            alone = ask(fit(cut(deals, day, CHANGE), day), deals, day)
            before = ask(frozen, deals, day)
            judged.append({"deals": len(said), "champion": brier(said), "alone": brier(alone), "frozen": brier(before)})
    return weeks, judged


def measure(size: int, seed: int, count: int) -> dict:
    "Measure one company."
    deals = simulate(size, seed)
    days = [FIRST + pd.Timedelta(days=7 * week) for week in range(26 - count, 26)]
    with tempfile.TemporaryDirectory() as place, chdir(place):
        os.environ.pop("DVC_EXP_NAME", None)
        weeks, judged = run_weeks(deals, days, PARAMS["models"]["max_champion_age_days"])
        past, said = list_past_bundles(), read_past_scores()
    means = pd.DataFrame(judged).drop(columns="deals").mean().to_dict() if judged else {}
    is_complete = [one.facts.as_of for one in past] == [week["day"] for week in weeks]
    promoted = sum(week["promoted"] for week in weeks)
    rows = {"seed": seed, "weeks": len(weeks), "promoted": promoted, "history_complete": is_complete, "rows": len(said)}
    return rows | {"brier": means, "behind": means["champion"] - means["alone"] if means else None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deals", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--weeks", type=int, default=26, help="the last ones of the six months")
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_name("retraining.json"))
    asked = parser.parse_args()
    companies = []
    for seed in asked.seeds:
        companies.append(measure(asked.deals, seed, asked.weeks))
        print(companies[-1], flush=True)
    behind = [company["behind"] for company in companies if company["behind"] is not None]
    found = {"deals": asked.deals, "regime_change": f"{CHANGE:%Y-%m-%d}", "kind": KIND, "horizon": HORIZON}
    found |= {"bundles_kept": KEEP, "companies": companies, "mean_behind": float(np.mean(behind)) if behind else None}
    write_json(found, asked.out)


if __name__ == "__main__":
    main()
