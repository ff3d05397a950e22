"""Hold the models against companies whose true chances are known; writes company_losses.json beside itself.

Run it from the top of the project:
    python benchmarks/measure_worlds.py                          every company, the seeds below, 2,000 deals each: the column "now"
    python benchmarks/measure_worlds.py --code PATH --as before  the same with the code of another checkout, as another column
    python benchmarks/measure_worlds.py falling silence          only these companies
    python benchmarks/measure_worlds.py --seeds 11 12 --deals 500
    python benchmarks/measure_worlds.py --jobs 16 --as fresh --seeds 41 42 43     16 companies and seeds side by side
Companies with histories are read as `crm map` proposes, in the column "histories read" of 2,000 deals and the seeds 91, 92, 93.
For each company, model and horizon: the model's Brier score less that of the truth, and the mean squared distance of its
probabilities from the true ones, means over origins and seeds. "chosen" is the model that `choose_model` takes among the
tables and the candidates asked; "published" are the scores of the export's day by that model: sums of chances and of value against the
true ones. Everything is drawn from seeds. A company takes half a minute on one core, one with histories several.
"""

import argparse
import dataclasses
import inspect
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("names", nargs="*", help="companies; all of them where none is named")
parser.add_argument("--code", type=Path, help="top of the checkout whose code is measured; else this one's")
parser.add_argument("--as", dest="column", default="now", help="name of the column that is written, such as before")
parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22, 23])
parser.add_argument("--deals", type=int, default=2000)
parser.add_argument("--jobs", type=int, default=1, help="companies and seeds measured side by side, a core each")
parser.add_argument("--rows", type=Path, help="folder in which the forecasts of each company and seed are kept")
parser.add_argument("--out", type=Path, help="file to write; else company_losses.json beside this script")
ASKED = parser.parse_args()
ROOT = (ASKED.code or Path(__file__).parents[1]).resolve()
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from scipy import stats  # noqa: E402

from crm_lib.base.calendar import FiscalCalendar  # noqa: E402
from crm_lib.base.config import CrmError, read_params  # noqa: E402
from crm_lib.base.files import write_json  # noqa: E402
from crm_lib.evaluation import gate, judging  # noqa: E402
from crm_lib.evaluation.backtest import fit_chosen, run_backtest  # noqa: E402
from crm_lib.evaluation.judging import attach_labels  # noqa: E402
from crm_lib.evaluation.origins import Protocol, rolling_origins  # noqa: E402
from crm_lib.features.features import build_features, feature_settings  # noqa: E402
from crm_lib.features.snapshots import cycle_spacing, month_ends, spaced_dates  # noqa: E402
from crm_lib.ingestion.deals import observed_until, records_start  # noqa: E402
from crm_lib.ingestion.folders import propose_folder  # noqa: E402
from crm_lib.ingestion.histories import build_histories, leave_out_gone  # noqa: E402
from crm_lib.ingestion.history_tables import make_deals  # noqa: E402
from crm_lib.ingestion.imports import import_tables  # noqa: E402
from crm_lib.ingestion.sources import read_raw  # noqa: E402
from crm_lib.models.close_hazard import BASELINES, make_model  # noqa: E402
from crm_lib.scoring.scores import EVER_DAYS, score_latest, score_rules  # noqa: E402
from crm_lib.simulation import gallery  # noqa: E402
from crm_lib.simulation.closing_laws import decided_by  # noqa: E402
from crm_lib.simulation.company import Company, perfect_forecast  # noqa: E402
from crm_lib.simulation.mechanisms import BEYOND, WorldPlan  # noqa: E402

PARAMS = read_params(ROOT / "params.yaml")
HORIZONS = PARAMS["backtest"]["horizons"]
CANDIDATES = (
    "cure_table",
    "xgboost",
    "cure_table+states",
    "xgboost+states",
    "direct_stacked",
)  # those that the code knows
BESIDE = ("always_no", "age_curve", "phase_table", "stage_rate", "direct")


def _plan(distribution: Any, win: float, never: float) -> WorldPlan:
    days = 730
    by = decided_by(distribution, days + BEYOND)[None, None]
    return WorldPlan(days, (1 - never) * win * by, (1 - never) * (1 - win) * by)


OWN = {  # companies that the gallery does not have
    "silence": _plan(stats.weibull_min(1.4, scale=45), win=0.55, never=0.45),
    "mostly_won": _plan(stats.gamma(2, scale=25), win=0.92, never=0.0),
}
SLOW = ("stages", "histories")  # companies with histories take longest
DAYS_LEFT = {"last_week": (20, 10, 4)}  # origins so many days before the ends of quarters


CALENDAR = FiscalCalendar(1)


def ask(function: Any, *given: Any, **named: Any) -> Any:
    "Call a function with the company's quarters too where it takes them: older code has a default of its own."
    takes = "calendar" in inspect.signature(function).parameters
    return function(*given, **named, **({"calendar": CALENDAR} if takes else {}))


class World(NamedTuple):
    """A company as the project sees it, and the truth about it."""

    company: Company
    deals: pd.DataFrame
    snapshots: pd.DataFrame
    protocol: Protocol
    origins: np.ndarray


def make(name: str, seed: int, n_deals: int) -> Company:
    "Simulate a company of the gallery, or one of those above."
    if name in OWN:
        return gallery._from_plan(name, OWN[name], seed, n_deals)
    return gallery.make_company(name, seed, n_deals)


def origins_of(name: str, first: pd.Timestamp, last: pd.Timestamp) -> np.ndarray:
    "List the days to stand on: month ends, or days before the ends of quarters."
    ends = rolling_origins(first, last, HORIZONS, PARAMS["backtest"]["origins"])
    if name not in DAYS_LEFT:
        return ends
    quarters = pd.date_range(ends[0], last, freq="QE")[-2:]
    return np.sort([np.datetime64(end, "D") - left for end in quarters for left in DAYS_LEFT[name]])


def look_at(company: Company, name: str) -> World:
    "Take a company through import, ingestion and features."
    ingest = {**PARAMS["ingest"], "stages": company.stages}
    with tempfile.TemporaryDirectory() as folder:
        raw = read_raw(import_tables(company.tables, Path(folder) / "data"), company.tables)
        if "stage_history" in company.tables:  # what `crm map` proposes: stages, fields and activities are all read
            ingest["histories"] = {key: value for _, key, value in propose_folder(raw).more}["histories"]
        received, named, (built, *_) = make_deals(raw, ingest, None)
        past = build_histories(received, named, built, ingest, None)
    deals = leave_out_gone(built, past.gone)
    first, last = records_start(deals), observed_until(deals, None)
    settings = feature_settings({**PARAMS, "calendar": {**PARAMS["calendar"], "fiscal_year_start": 1}})
    origins = origins_of(name, first, last)
    spaced = spaced_dates(first, last, PARAMS["features"]["snapshot_every_days"] or cycle_spacing(deals))
    dates = np.unique(np.concatenate([spaced, month_ends(first, last), origins]))
    snapshots = build_features(deals, dates, first, settings)
    protocol = Protocol(deals, snapshots, first, last, settings.grid, PARAMS["backtest"]["seed"])
    known = {field.name for field in dataclasses.fields(Protocol)}
    if {"records", "stages"} <= known and len(past.changes) + len(past.activities):
        from crm_lib.features.state_features import index_records

        activities = past.activities if len(past.activities) else None
        records = index_records(past.changes, past.known_since, activities, deals, company.stages)
        protocol = dataclasses.replace(protocol, records=records, stages=company.stages)
    return World(company, deals, snapshots, protocol, origins)


def knows(protocol: Protocol, name: str) -> bool:
    "Tell whether the measured code has a model of this name."
    from crm_lib.evaluation.variants import VARIANTS
    from crm_lib.models.learners import LEARNERS

    base, _, variant = name.partition("+")
    if variant:
        return variant in VARIANTS and getattr(protocol, "records", None) is not None and knows(protocol, base)
    if base in BASELINES or base == "cure_table" or base in LEARNERS:
        return True
    try:
        return type(ask(make_model, base, seed=0)).__name__ != "CloseHazardModel"
    except CrmError:
        return False


def beside_truth(world: World, models: list[str]) -> pd.DataFrame:
    "Forecast from every origin, and set the true chance and outcome beside."
    forecasts = run_backtest(world.protocol, world.origins, models, HORIZONS)
    truth = pd.concat([ask(perfect_forecast, world.company, day, HORIZONS) for day in world.origins])
    truth = truth.rename(columns={"probability": "truth"})
    return forecasts.merge(truth, on=["as_of", "opportunity_id", "horizon"], validate="many_to_one")


def mean_over_origins(values: pd.Series, rows: pd.DataFrame) -> pd.DataFrame:
    by_origin = values.groupby([rows["model"], rows["horizon"], rows["origin"]]).mean()
    return by_origin.groupby(level=[0, 1]).mean().unstack()


def losses(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    "Give what the models lose against the truth: Brier differences and mean squared distances, per model and horizon."
    won = rows["is_won"].astype(float)
    own = (rows["probability"] - won) ** 2
    true = (rows["truth"] - won) ** 2
    distance = (rows["probability"] - rows["truth"]) ** 2
    return {
        "brier_less_truth": mean_over_origins(own - true, rows),
        "squared_distance": mean_over_origins(distance, rows),
        "truth_brier": mean_over_origins(true, rows).iloc[[0]],
    }


def choose(world: World, rows: pd.DataFrame, models: list[str]) -> str:
    "Choose as the stage backtest does, among the candidates asked."
    judged = ask(attach_labels, rows.drop(columns=["is_won", "truth"]), world.deals, world.protocol.last)
    candidates = [name for name in models if name in CANDIDATES]
    if hasattr(gate, "choose_model"):
        return gate.choose_model(judged, [*gate.SIMPLEST, *candidates]).name
    own = PARAMS["backtest"]  # older code asks for a proof against the table, drawn anew
    against = judging.compare_losses(judged, own["bootstrap"], own["seed"])
    return judging.choose_model(against, candidates, judged, draws=own["bootstrap"], seed=own["seed"])[0]


def published(world: World, chosen: str) -> dict[str, float]:
    "Score the deals open on the export's day by the chosen model, and set the truth beside the sums."
    model = fit_chosen(world.protocol, chosen, None)[0]
    if "protocol" in inspect.signature(score_latest).parameters:
        raise SystemExit("score_latest wants the protocol: teach this script to hand it over.")
    snapshots = world.snapshots
    if getattr(world.protocol, "records", None) is not None:
        from crm_lib.features.state_features import learn_states, state_features

        learned = learn_states(world.protocol.records, world.protocol.last, world.protocol.stages)
        days = snapshots["as_of"].drop_duplicates().tail(6)
        late = snapshots[snapshots["as_of"].isin(days)].reset_index(drop=True)
        states = state_features(world.protocol.records, learned, late)
        names = [name for name in states if name not in late]
        snapshots = late.assign(**{name: states[name].to_numpy() for name in names})
    scores = score_latest(model, world.deals, snapshots, score_rules(PARAMS))
    truth = _truth_of(world, scores)
    both = scores.merge(truth, on="opportunity_id")
    found: dict[str, float] = {"deals": len(both)}
    for name in [f"p_won_{horizon}" for horizon in HORIZONS] + ["p_won_ever"]:
        true = both[f"true_{name}"]
        found[f"{name}_distance"] = float(((both[name] - true) ** 2).mean())
        found[f"{name}_sum_over_true"] = float(both[name].sum() / max(true.sum(), 1e-9))
    value = (both["true_p_won_ever"] * both["value_if_won"]).sum()
    return found | {"value_over_true": float(both["expected_value"].sum() / max(value, 1e-9))}


def _truth_of(world: World, scores: pd.DataFrame) -> pd.DataFrame:
    "Give the true chance of every published number, for the deals that are open in truth."
    day = scores["as_of"].iloc[0]
    named = {f"p_won_{horizon}": horizon for horizon in HORIZONS} | {"p_won_ever": EVER_DAYS}
    held = world.company.known_days - 1 - int(world.company.day_number(day)[()])
    named = {name: min(horizon, held) if isinstance(horizon, int) else horizon for name, horizon in named.items()}
    parts = {
        f"true_{name}": ask(perfect_forecast, world.company, day, [horizon]).set_index("opportunity_id")["probability"]
        for name, horizon in named.items()
    }
    return pd.DataFrame(parts).rename_axis("opportunity_id").reset_index()


def measure(name: str, seed: int, n_deals: int) -> dict[str, Any]:
    "Give the figures of one company and one seed."
    start = time.process_time()
    world = look_at(make(name, seed, n_deals), name)
    models = [model for model in (*BESIDE, *CANDIDATES) if knows(world.protocol, model)]
    rows = beside_truth(world, models)
    if ASKED.rows:
        ASKED.rows.mkdir(parents=True, exist_ok=True)
        rows.to_parquet(ASKED.rows / f"{name}_{seed}.parquet")
    found = losses(rows)
    chosen = choose(world, rows, models)
    tables = {kind: table.to_dict("index") for kind, table in found.items() if kind != "truth_brier"}
    tables |= {"truth_brier": found["truth_brier"].iloc[0].to_dict()}
    told = {"chosen": chosen, "origins": len(world.origins), "rows": int(len(rows) / len(models) / len(HORIZONS))}
    return told | tables | {"published": published(world, chosen), "cpu_s": round(time.process_time() - start, 1)}


def _numbers(found: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(found, dict):
        for name, part in found.items():
            yield from _numbers(part, (*path, name))
    elif isinstance(found, (int, float)):
        yield path, float(found)


def over_seeds(parts: list[dict[str, Any]]) -> dict[str, Any]:
    "Give the means over seeds of every number, and what was chosen at each; the chosen one's losses beside."
    for part in parts:
        for kind in ("brier_less_truth", "squared_distance"):
            part[kind]["the chosen"] = part[kind][part["chosen"]]
    table = pd.DataFrame([dict(_numbers(part)) for part in parts]).mean()
    result: dict[str, Any] = {"chosen": [part["chosen"] for part in parts]}
    for path, value in table.items():
        place = result
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place[path[-1]] = value
    return result


def side_by_side(names: list[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    "Measure companies and seeds, those with histories first, and give each company when its last seed is there."
    asked = sorted(
        ((name, seed) for seed in ASKED.seeds for name in names), key=lambda one: not one[0].startswith(SLOW)
    )
    found: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in names}
    with ProcessPoolExecutor(ASKED.jobs) as pool:
        running = {pool.submit(measure, name, seed, ASKED.deals): (name, seed) for name, seed in asked}
        for one in as_completed(running):
            name, seed = running[one]
            found[name][seed] = one.result()
            if len(found[name]) == len(ASKED.seeds):
                yield name, [found[name][seed] for seed in ASKED.seeds]


def main() -> None:
    "Measure the companies asked for, and renew their place in the file after each."
    file = ASKED.out or Path(__file__).with_name("company_losses.json")
    names = [*gallery.COMPANIES, *OWN]
    unknown = sorted(set(ASKED.names) - set(names))
    if unknown:
        raise SystemExit(f"There is no company {', '.join(unknown)}: choose from {', '.join(names)}.")
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    column = kept.setdefault(ASKED.column, {"deals": ASKED.deals, "seeds": ASKED.seeds, "companies": {}})
    if (column["deals"], column["seeds"]) != (ASKED.deals, ASKED.seeds):
        raise SystemExit(f"The column {ASKED.column} holds other deals or seeds: name another one with --as.")
    for name, parts in side_by_side(ASKED.names or names):
        found = over_seeds(parts)
        column["companies"][name] = found
        write_json(kept, file, digits=5)
        print(name, found["chosen"], json.dumps(found["brier_less_truth"]["the chosen"]), flush=True)


if __name__ == "__main__":
    main()
