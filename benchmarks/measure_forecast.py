"""Hold the intervals of the revenue forecast against simulated companies; the figures are written beside this file.

Run it from the top of the project:
    python benchmarks/measure_forecast.py               twelve seeds of the embedded sample and four of every other world -> forecast_worlds.json
    python benchmarks/measure_forecast.py 3 "quarter"   three seeds of the worlds whose name holds the word
Every window is the four weeks after one of the weekly days of `evaluate_origins`, judged with what was known there. The factor of `fit_common_shock` was set on the
seeds 20240101 and 1 to 19 of the embedded sample, so those are not among the seeds here. A company takes about 20 seconds on two cores.
"""

import sys
from typing import Any

import pandas as pd
from measure_models import HERE, HORIZONS, PARAMS, WORLDS, deals_of, settings_of, snapshots_of
from tqdm.auto import tqdm

from crm_lib.base.files import write_json
from crm_lib.features.features import build_features
from crm_lib.forecasting.intervals import interval_coverage
from crm_lib.forecasting.outlook import ForecastLimits, Outlook
from crm_lib.forecasting.rolling_origin import Evaluation, evaluate_origins
from crm_lib.ingestion.deals import observed_until, records_start
from crm_lib.simulation.simulate import simulate_sample

FIRST_SEED = 20


def past_of(sample: dict[str, Any]) -> Evaluation:
    "Simulate a company and look back on the forecasts that it would have had, made with the model without a learner."
    sample = {**PARAMS["source"]["sample"], **sample}
    settings, deals = settings_of(sample.get("fiscal_year_start", 1)), deals_of(simulate_sample(sample).tables)
    first, own = records_start(deals), PARAMS["forecast"]
    limits = ForecastLimits(own["least_origins"], own["interval_origins"], own["apart"], own["widest"])
    outlook = Outlook(
        deals,
        snapshots_of(deals, settings),
        first,
        observed_until(deals, None),
        {"chosen": "cure_table"},
        settings,
        limits,
        own["arrivals_days"],
        own["draws"],
        own["seed"],
    )
    return evaluate_origins(
        outlook,
        lambda table, days: build_features(table, days, first, settings),
        HORIZONS,
        PARAMS["backtest"]["origins"],
    )


def measure(world: dict[str, Any], seeds: range) -> dict[str, Any]:
    "Give coverage over all windows of several companies, and the mean error of the published number."
    pasts = [past_of({**world, "seed": seed}) for seed in tqdm(seeds, desc=str(world), leave=False)]
    intervals = pd.concat([past.intervals for past in pasts], ignore_index=True)
    errors = pd.concat([past.errors for past in pasts]).groupby(["period", "scope"])["published"].mean().unstack()
    return {
        "world": world,
        "companies": len(seeds),
        "windows": len(intervals) // 2,
        "month_ends": sum(past.figures["origins"] for past in pasts),
        "coverage": interval_coverage(intervals),
        "coverage_open_pipeline": interval_coverage(intervals, "open_pipeline"),
        "wape": errors.to_dict("index"),
    }


def main(seeds: int | None = None, word: str = "") -> None:
    "Measure the worlds asked for and write the file."
    named = {name: world for name, world in WORLDS.items() if word in name}
    found = {
        name: measure(world, range(FIRST_SEED, FIRST_SEED + (seeds or (4 if world else 12))))
        for name, world in named.items()
    }
    write_json(found, HERE / "forecast_worlds.json", digits=4)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None, *sys.argv[2:])
