"""Test whether what models say of a deal moves as honest chances do; writes martingale.json beside itself.

Run it from the top of the project:
    python benchmarks/measure_martingale.py                       simulated companies with histories, two quarters each
    python benchmarks/measure_martingale.py sample=ARTIFACTS ...  and projects that were run: a name, and its folder artifacts
Per company and forecaster, of the chances for the end of a quarter, said at the end before it and at its month ends: the
slope of the later chance on the earlier, the mean squared movement, the mean fall of p (1 - p), their difference and the
drift, with 95 % intervals over deals. `truth` are the exact chances, `hasty` the same with log-odds from the usual doubled.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from measure_state_models import CALENDAR, World, simulate

from crm_lib.base.calendar import as_days, horizon_end
from crm_lib.base.files import write_json
from crm_lib.base.metrics import log_odds
from crm_lib.evaluation.martingale import judge_backtest_movement, judge_movement, pair_chances
from crm_lib.features.snapshots import month_ends
from crm_lib.models.close_hazard import make_model
from crm_lib.models.state_hazard import StateHazardModel

COMPANIES = ("histories", "stages")
SEEDS = (1,)
QUARTERS = 2  # the last whole ones of a company's history
H = "quarter_end"


def hasty(chance: np.ndarray) -> np.ndarray:
    "Double every log-odds, seen from the middle one."
    odds = log_odds(chance)
    return 1 / (1 + np.exp(-(2 * odds - np.median(odds))))


def days_to_stand(world: World) -> np.ndarray:
    "List the ends of months whose quarter ends within the history, those of the last quarters."
    ends = month_ends(world.start, world.last)
    whole = ends[horizon_end(ends, H, CALENDAR) <= as_days(world.last)]
    return whole[-3 * QUARTERS :]


def stand_anew(world: World) -> World:
    "The same company, seen from the ends of months."
    spaced = np.unique(as_days(world.rows["as_of"]))
    told = (world.deals, world.records, world.stages, spaced, days_to_stand(world), world.start, world.last)
    return World(*told, (H,), world.truth)


def ask(world: World) -> dict[str, pd.DataFrame]:
    "What each forecaster says from every day: opportunity_id, as_of, end, probability."
    said: dict[str, list[pd.DataFrame]] = {}
    for origin in world.origins:
        X, y, test, _, true = world.stand(origin)
        base = make_model("cure_table", CALENDAR, world.edges, seed=0)
        models = {"base": base, "states": StateHazardModel(base, CALENDAR)}
        chances = {name: model.fit(X, y).predict_win(test, (H,))[H].to_numpy() for name, model in models.items()}
        chances |= {"truth": true[H], "hasty": hasty(true[H])}
        keys = test[["opportunity_id", "as_of"]].assign(end=pd.Timestamp(horizon_end(origin, H, CALENDAR)))
        for name, chance in chances.items():
            said.setdefault(name, []).append(keys.assign(probability=chance))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in said.items()}


def measure_company(name: str) -> dict[str, dict[str, float]]:
    "Figures of each forecaster over all seeds; deals of different seeds are different deals."
    steps: dict[str, list[pd.DataFrame]] = {}
    for seed in SEEDS:
        world = stand_anew(simulate(name, seed))
        for model, rows in ask(world).items():
            pairs = pair_chances(rows, world.deals)
            steps.setdefault(model, []).append(pairs.assign(opportunity_id=f"{seed} " + pairs["opportunity_id"]))
    return {model: judge_movement(pd.concat(parts, ignore_index=True)) for model, parts in steps.items()}


def measure_artifacts(folder: Path) -> dict[str, dict[str, float]]:
    "Figures of each forecaster of a backtest."
    forecasts, deals = (pd.read_parquet(folder / f"{name}.parquet") for name in ("backtest", "deals"))
    found = {name: judge_backtest_movement(forecasts, deals, name, CALENDAR) for name in forecasts["model"].unique()}
    return {name: figures for name, figures in found.items() if figures is not None}


if __name__ == "__main__":
    file = Path(__file__).with_name("martingale.json")
    result = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}  # what is not asked for stays
    for told in sys.argv[1:]:
        project, _, folder = told.partition("=")
        result[project] = measure_artifacts(Path(folder))
    for company in COMPANIES:
        result[company] = measure_company(company)
        print(company, pd.DataFrame(result[company]).round(4).T.to_string(), flush=True)
        write_json(result, file, digits=5)
