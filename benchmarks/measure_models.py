"""Hold the forecasters against what the pipeline alone does not show; each part writes its figures beside this file.

Run it from the top of the project:
    python benchmarks/measure_models.py sundays FOLDER   a folder of CRM tables: Sundays between the month ends, models frozen -> sundays.json
    python benchmarks/measure_models.py truncation FOLDER  the same tables cut at each month end: do the forecasts change? -> truncation.json
    python benchmarks/measure_models.py rivals FOLDER    the same tables: plain classifiers, and the choice made without the last month end -> rivals.json
    python benchmarks/measure_models.py worlds           simulated worlds: loss against the truth's own probabilities -> worlds.json
    python benchmarks/measure_models.py seeds 1 2 3      the same for other seeds of the embedded sample -> seeds.json
Only sums over many deals are written. Each part takes some minutes on two cores.
"""

import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from crm_lib.base.config import read_params
from crm_lib.base.files import write_json
from crm_lib.evaluation.backtest import forecast_origin, list_forecasters, run_backtest
from crm_lib.evaluation.gate import choose_model, list_choosable, question_choice
from crm_lib.evaluation.judging import attach_labels, compare_losses, judge_origins, summarise
from crm_lib.evaluation.origins import Protocol, rolling_origins, training_sets
from crm_lib.features.features import FeatureSettings, build_features, feature_settings
from crm_lib.features.snapshots import cycle_spacing, known_at, month_ends, spaced_dates
from crm_lib.ingestion.deals import build_deals, observed_until, records_start
from crm_lib.ingestion.imports import import_tables
from crm_lib.ingestion.mapping import map_tables
from crm_lib.ingestion.sources import read_raw
from crm_lib.models.close_hazard import BASELINES, make_model
from crm_lib.scoring.explanation import explain_scores
from crm_lib.simulation.simulate import Simulation, simulate_sample, true_probabilities

HERE = Path(__file__).parent
PARAMS = read_params(HERE.parent / "params.yaml")
HORIZONS = PARAMS["backtest"]["horizons"]
MODELS = [*BASELINES, *PARAMS["backtest"]["models"]]
WORLDS: dict[str, dict[str, Any]] = {
    "the embedded sample": {},
    "agents and products matter": {"agent_skill": 1.0, "product_skill": 1.0},
    "fiscal year from February": {"fiscal_year_start": 2},
    "no quarter effect": {"quarter_effect": 0.0},
    "account known from the start": {"account_known_from_start": True},
    "half of all deals stale": {"stale_share": 0.9},
    "300 closed deals": {"deals": 450},
}


def settings_of(fiscal_year_start: int) -> FeatureSettings:
    "Give the feature settings of params.yaml."
    return replace(feature_settings(PARAMS), fiscal_year_start=fiscal_year_start)


def deals_of(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    "Take tables through import and ingestion, as the pipeline does."
    with tempfile.TemporaryDirectory() as folder:
        data = import_tables(tables, Path(folder) / "data")
        return build_deals(map_tables(read_raw(data)), PARAMS["ingest"]["stages"], PARAMS["ingest"]["mend_names"]).deals


def snapshots_of(deals: pd.DataFrame, settings: FeatureSettings, more: Iterable[object] = ()) -> pd.DataFrame:
    "Build the snapshots of the stage `features`, and those of further days."
    first, last = records_start(deals), observed_until(deals, None)
    dates = [
        spaced_dates(first, last, PARAMS["features"]["snapshot_every_days"] or cycle_spacing(deals)),
        month_ends(first, last),
        np.array(list(more), "datetime64[D]"),
    ]
    return build_features(deals, np.unique(np.concatenate(dates)), first, settings)


def mean_losses(judged: pd.DataFrame) -> pd.DataFrame:
    "Give each model's mean Brier score over the days, a column per horizon."
    loss = (judged["probability"] - judged["is_won"]) ** 2
    by_day = loss.groupby([judged["model"], judged["horizon"], judged["as_of"]]).mean()
    return by_day.groupby(level=[0, 1]).mean().unstack()


def forecast_sundays(deals: pd.DataFrame, settings: FeatureSettings) -> pd.DataFrame:
    "Freeze each model at a month end and let it forecast on the Sundays up to the next one."
    first, last = records_start(deals), observed_until(deals, None)
    stood = rolling_origins(first, last, HORIZONS, PARAMS["backtest"]["origins"])
    days = np.arange(stood[0], last.to_datetime64().astype("datetime64[D]"))
    sundays = days[(days.astype("int64") + 4) % 7 == 0]
    snapshots, own = snapshots_of(deals, settings), snapshots_of(deals, settings, sundays)
    parts = []
    for origin, until in tqdm(list(zip(stood, np.append(stood[1:], days[-1] + 1))), desc="origins"):
        entries, landmarks = training_sets(deals, snapshots, origin, first)
        test = own[own["as_of"].isin(pd.to_datetime(sundays[(sundays > origin) & (sundays <= until)]))].reset_index(
            drop=True
        )
        for name in MODELS:
            model = make_model(name, settings.grid.calendar, settings.age_edges, seed=PARAMS["backtest"]["seed"])
            won = model.fit(*(entries if name in BASELINES else landmarks)).predict_win(test, HORIZONS)
            long = won.assign(
                origin=pd.Timestamp(origin), as_of=test["as_of"], opportunity_id=test["opportunity_id"], model=name
            )
            parts.append(
                long.melt(["origin", "as_of", "opportunity_id", "model"], var_name="horizon", value_name="probability")
            )
    forecasts = pd.concat(parts, ignore_index=True).astype({"horizon": str})
    return attach_labels(forecasts, deals, last, settings.grid.calendar)


def measure_sundays(folder: str) -> dict[str, Any]:
    "Give Brier scores of frozen models: mean over Sundays, and by month end."
    settings = settings_of(PARAMS["calendar"]["fiscal_year_start"])
    deals = build_deals(map_tables(read_raw(folder)), PARAMS["ingest"]["stages"], PARAMS["ingest"]["mend_names"]).deals
    judged = forecast_sundays(deals, settings)
    days = judged.groupby("horizon")["as_of"].nunique().to_dict()
    by_origin = {f"{day:%Y-%m-%d}": mean_losses(part).to_dict("index") for day, part in judged.groupby("origin")}
    return {"sundays": days, "brier": mean_losses(judged).to_dict("index"), "brier_after": by_origin}


def measure_truncation(folder: str) -> dict[str, Any]:
    "Forecast from tables cut at each month end, features rebuilt, and give the largest difference to the backtest's forecasts by model."
    settings = settings_of(PARAMS["calendar"]["fiscal_year_start"])
    deals = build_deals(map_tables(read_raw(folder)), PARAMS["ingest"]["stages"], PARAMS["ingest"]["mend_names"]).deals
    first, last, seed = records_start(deals), observed_until(deals, None), PARAMS["backtest"]["seed"]
    stood, snapshots = (
        rolling_origins(first, last, HORIZONS, PARAMS["backtest"]["origins"]),
        snapshots_of(deals, settings),
    )
    protocol = Protocol(deals, snapshots, first, last, settings.grid, seed)
    whole = run_backtest(protocol, stood, MODELS, HORIZONS)
    dates = np.unique(snapshots["as_of"].to_numpy().astype("datetime64[D]"))
    parts = []
    for origin in stood:
        known = known_at(deals, origin)
        cut = build_features(known, dates[dates <= origin], first, settings)
        then = replace(protocol, deals=known, snapshots=cut)
        parts.append(forecast_origin(then, origin, MODELS, HORIZONS))
    both = whole.merge(
        pd.concat(parts),
        on=["as_of", "opportunity_id", "horizon", "model"],
        how="outer",
        validate="one_to_one",
        suffixes=("", "_cut"),
    )
    gap = (both["probability"] - both["probability_cut"]).abs().fillna(1.0)
    return {"forecasts": len(both), "largest_difference": gap.groupby(both["model"]).max().to_dict()}


def measure_rivals(folder: str) -> dict[str, Any]:
    "Give the figures of every model and plain classifier, and those of the choice made without the last month end."
    settings = settings_of(PARAMS["calendar"]["fiscal_year_start"])
    deals = build_deals(map_tables(read_raw(folder)), PARAMS["ingest"]["stages"], PARAMS["ingest"]["mend_names"]).deals
    first, last, own = records_start(deals), observed_until(deals, None), PARAMS["backtest"]
    protocol = Protocol(deals, snapshots_of(deals, settings), first, last, settings.grid, own["seed"])
    stood = rolling_origins(first, last, HORIZONS, own["origins"])
    judged = attach_labels(
        run_backtest(protocol, stood, list_forecasters(own["models"]), HORIZONS), deals, last, settings.grid.calendar
    )
    drawn = {"draws": own["bootstrap"], "seed": own["seed"]}
    compared = compare_losses(judged, own["bootstrap"], own["seed"])
    candidates = list_choosable(own["models"])
    chosen, why, _ = choose_model(judged, candidates)
    doubts, said = question_choice(judged, chosen, candidates, **drawn)
    return {
        "chosen": chosen,
        "why": why,
        "said": said,
        **doubts,
        "horizons": summarise(judged, judge_origins(judged), compared),
    }


def beside_truth(forecasts: pd.DataFrame, simulation: Simulation) -> pd.DataFrame:
    "Add the true probability of each forecast's win."
    truth = pd.concat([true_probabilities(simulation, day, HORIZONS) for day in forecasts["as_of"].unique()])
    return forecasts.merge(
        truth.rename(columns={"probability": "truth"}),
        on=["as_of", "opportunity_id", "horizon"],
        validate="many_to_one",
    )


def name_drivers(deals: pd.DataFrame, snapshots: pd.DataFrame, chosen: str, settings: FeatureSettings) -> list[str]:
    "List the columns behind the scores of the last day, strongest first."
    first, last = records_start(deals), observed_until(deals, None)
    entries, landmarks = training_sets(deals, snapshots, last, first)
    model = make_model(chosen, settings.grid.calendar, settings.age_edges, seed=PARAMS["train"]["seed"]).fit(
        *(entries if chosen in BASELINES else landmarks)
    )
    today = snapshots[snapshots["as_of"] == last]
    some = today.sample(min(len(today), 200), random_state=0).reset_index(drop=True)
    reasons = explain_scores(
        model, some, PARAMS["publish"]["main_horizon"], PARAMS["explain"]["background"], usual=snapshots
    )
    return (
        reasons["contribution"].abs().groupby(reasons["feature"]).mean().sort_values(ascending=False).round(3).to_dict()
    )


def measure_world(sample: dict[str, Any]) -> dict[str, Any]:
    "Give each model's Brier score less the truth's own, the choice, and what drives the scores."
    sample = {**PARAMS["source"]["sample"], **sample}
    simulation = simulate_sample(sample)
    settings, deals = settings_of(sample.get("fiscal_year_start", 1)), deals_of(simulation.tables)
    snapshots, last = snapshots_of(deals, settings), observed_until(deals, None)
    stood = rolling_origins(records_start(deals), last, HORIZONS, PARAMS["backtest"]["origins"])
    seed = PARAMS["backtest"]["seed"]
    protocol = Protocol(deals, snapshots, records_start(deals), last, settings.grid, seed)
    forecasts = run_backtest(protocol, stood, MODELS, HORIZONS)
    judged = beside_truth(attach_labels(forecasts, deals, last, settings.grid.calendar), simulation)
    chosen, why, _ = choose_model(judged, list_choosable(PARAMS["backtest"]["models"]))
    truth = mean_losses(judged[judged["model"] == "always_no"].assign(probability=lambda rows: rows["truth"])).iloc[0]
    losses = mean_losses(judged)
    return {
        "world": sample,
        "closed_deals": int(deals["stage"].isin(["won", "lost"]).sum()),
        "chosen": chosen,
        "why": why,
        "truth": truth.to_dict(),
        "loss": (losses - truth).to_dict("index"),
        "chosen_loss": (losses.loc[chosen] - truth).to_dict(),
        "drivers": name_drivers(deals, snapshots, chosen, settings),
    }


def main(part: str, *words: str) -> None:
    "Run one part and write its file."
    if part == "sundays":
        write_json(measure_sundays(*words), HERE / "sundays.json", digits=5)
    elif part == "truncation":
        write_json(measure_truncation(*words), HERE / "truncation.json", digits=12)
    elif part == "rivals":
        write_json(measure_rivals(*words), HERE / "rivals.json", digits=6)
    elif part == "worlds":
        chosen = {name: world for name, world in WORLDS.items() if not words or any(word in name for word in words)}
        write_json({name: measure_world(world) for name, world in chosen.items()}, HERE / "worlds.json", digits=5)
    elif part == "seeds":
        write_json({seed: measure_world({"seed": int(seed)}) for seed in words}, HERE / "seeds.json", digits=5)
    else:
        raise SystemExit(
            f"There is no part {part!r}: choose sundays, truncation, rivals, worlds or seeds, as the head of this file says."
        )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
