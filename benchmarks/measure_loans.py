"""Hold the chosen model against the project's own plain classifiers on real loan applications; writes loans.json.

Run it from the top of the project, with the folder of deals.csv, stage_history.csv and activities.csv of the loans of 2012:
    python benchmarks/measure_loans.py FOLDER            the three days on which columns and settings were looked at
    python benchmarks/measure_loans.py FOLDER --last     and, for good, the day that was kept for the end; writes the file
The model is chosen on the first days alone, by the rules of the backtest, and scored beside the classifiers on the last.
Per horizon: Brier score and AUC, means over days; the paired difference of the model's Brier score to each classifier's,
with a 95 % interval that draws whole deals and whole days (on a single day, deals alone).
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from measure_state_models import loan_tables

from crm_lib.base.calendar import FiscalCalendar, as_days
from crm_lib.base.files import write_json
from crm_lib.evaluation.backtest import run_backtest
from crm_lib.evaluation.gate import RIVALS, SIMPLEST, choose_model, hold_against_classifiers, judge_gate, score_held_out
from crm_lib.evaluation.judging import REFERENCE, attach_labels, compare_losses, judge_origins
from crm_lib.evaluation.origins import Protocol
from crm_lib.features.features import FeatureSettings, build_features

HORIZONS = (7, 14, 30)
ORIGINS = ("2011-12-31", "2012-01-15", "2012-01-31")
LAST = "2012-02-12"
FIRST_DAY, LAST_DAY = "2011-10-01", "2012-03-14"
LANDMARKS = ("2011-10-15", 3)  # the first, and days from one to the next
CANDIDATES = ("cure_table", "cure_table+states", "direct_stacked")  # the simplest first
BESIDE = (REFERENCE, "stage_rate", "direct")
BARS = {"brier": (0.083, 0.146, 0.178), "auc": (0.82, 0.77, 0.75)}  # what the plain classifier has to reach, by horizon
DRAWS, SEED = 400, 0


def stand(folder: Path, origins: list[str]) -> Protocol:
    "Bring the applications to what a backtest stands on: landmarks at the ends of days, states learned at each origin."
    deals, records, stages = loan_tables(folder)
    settings = FeatureSettings(fiscal_year_start=1, cohort_by="regional_office", cohort_days=7, stale_quantile=0.9)
    spaced = np.arange(LANDMARKS[0], origins[-1], LANDMARKS[1], dtype="datetime64[D]")
    snapshots = build_features(deals, np.union1d(spaced, as_days(origins)), FIRST_DAY, settings)
    last = np.datetime64(LAST_DAY)
    return Protocol(deals, snapshots, FIRST_DAY, last, settings.grid, SEED, records=records, stages=stages)


def forecast(protocol: Protocol, origins: list[str]) -> tuple[pd.DataFrame, dict[str, float]]:
    "Forecast with every model from every origin; with the seconds that each model took."
    parts, seconds = [], {}
    for name in (*BESIDE, *CANDIDATES):
        begun = time.perf_counter()
        parts.append(run_backtest(protocol, as_days(origins), [name], HORIZONS))
        seconds[name] = time.perf_counter() - begun
    judged = attach_labels(pd.concat(parts, ignore_index=True), protocol.deals, LAST_DAY, FiscalCalendar(1))
    return judged, seconds


def table_of(judged: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    "Brier score, AUC, base rate and rows by horizon and model: means over origins, rows in all."
    by = judge_origins(judged).groupby(["horizon", "model"], sort=False)
    found = by[["brier", "auc", "base_rate"]].mean().join(by["n"].sum())
    return {h: found.loc[h].to_dict("index") for h in map(str, HORIZONS)}


def differences(judged: pd.DataFrame, chosen: str) -> dict[str, dict[str, dict[str, float]]]:
    "The classifiers' Brier scores less the chosen model's: above 0, the model is better."
    rows = judged[judged["model"].isin([chosen, *RIVALS])]
    found = compare_losses(rows, DRAWS, SEED, against=chosen, with_origins=rows["origin"].nunique() > 1)
    by = found.set_index(["horizon", "model"])
    return {horizon: by.loc[horizon].to_dict("index") for horizon in [*map(str, HORIZONS), "all"]}


def reaches_bars(table: dict[str, dict[str, dict[str, float]]], model: str) -> dict[str, bool]:
    "Tell by horizon whether a model reaches both bars."
    rows = [table[str(horizon)][model] for horizon in HORIZONS]
    held = [
        bool(row["brier"] <= brier and row["auc"] >= auc)
        for row, brier, auc in zip(rows, BARS["brier"], BARS["auc"], strict=True)
    ]
    return dict(zip(map(str, HORIZONS), held, strict=True))


def judge(judged: pd.DataFrame, with_last: bool) -> dict:
    "Choose on the first days; score the first days, and with the last one that day and all of them."
    first = judged[judged["origin"] < pd.Timestamp(LAST)]
    chosen, why, _ = choose_model(first, [*SIMPLEST, *CANDIDATES])
    gate = judge_gate(hold_against_classifiers(first, chosen, draws=DRAWS, seed=SEED), chosen)
    result = {"chosen": chosen, "why": why, "gate": gate}
    parts = {"development": first}
    if with_last:
        result["held_out_by_backtest"] = score_held_out(judged, [*SIMPLEST, *CANDIDATES])
        parts |= {"last": judged[judged["origin"] == pd.Timestamp(LAST)], "all": judged}
    for name, rows in parts.items():
        table = table_of(rows)
        told = {"origins": sorted({str(day.date()) for day in rows["origin"]}), "models": table}
        reached = {rival: reaches_bars(table, rival) for rival in RIVALS}
        result[name] = told | {"rivals_less_chosen": differences(rows, chosen), "reaches_bars": reached}
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the loan applications of 2012")
    parser.add_argument("--last", action="store_true", help="stand on the last day too, and write loans.json")
    asked = parser.parse_args()
    begun = time.perf_counter()
    origins = [*ORIGINS, LAST] if asked.last else list(ORIGINS)
    judged, seconds = forecast(stand(asked.folder, origins), origins)
    result = judge(judged, asked.last)
    for name in ("development", "last", "all"):
        if name in result:
            models = result[name]["models"]
            print(name, pd.DataFrame({h: {m: f["brier"] for m, f in part.items()} for h, part in models.items()}))
            print(pd.DataFrame({h: part[result["chosen"]] for h, part in models.items()}))
            print(result[name]["rivals_less_chosen"], result[name]["reaches_bars"])
    print(result["chosen"], result["why"], result["gate"], seconds)
    if asked.last:
        cost = {"seconds": time.perf_counter() - begun, "seconds_by_model": seconds, "origins": len(origins)}
        write_json({"bars": BARS, **result, "run": cost}, Path(__file__).with_name("loans.json"), digits=5)
