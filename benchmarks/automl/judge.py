"""Judge the forecasts of the AutoML tools with the backtest's own code, beside crm_lib's models; writes ../automl.json, aggregates only.

Run it from the top of the project, in the project's environment: `python benchmarks/automl/judge.py MATRIX_FOLDER`.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from statistics import median

import pandas as pd

from crm_lib.base.calendar import FiscalCalendar
from crm_lib.base.config import read_params
from crm_lib.base.files import write_json
from crm_lib.evaluation.backtest import run_backtest
from crm_lib.evaluation.gate import choose_model
from crm_lib.evaluation.judging import REFERENCE, attach_labels, compare_losses, judge_origins, summarise
from crm_lib.evaluation.origins import Protocol, rolling_origins
from crm_lib.features.exposure import Grid
from crm_lib.ingestion.deals import observed_until, read_deals, records_start

ROOT = Path(__file__).resolve().parents[2]
KEYS = ["as_of", "opportunity_id", "horizon"]
FIGURES = ["auc", "brier", "log_loss", "accuracy", "majority_accuracy"]
TIE = 0.002  # Brier differences below it are called a tie


def backtest(folder: Path, deals: pd.DataFrame, params: dict) -> pd.DataFrame:
    """Forecast with the table and all candidates of params.yaml, as the backtest stage does."""
    how, first, last = (
        params["backtest"],
        records_start(deals),
        observed_until(deals, params["ingest"]["observed_until"]),
    )
    origins = rolling_origins(first, last, how["horizons"], how["origins"])
    grid = Grid(FiscalCalendar(params["calendar"]["fiscal_year_start"]))
    snapshots = pd.read_parquet(folder / "snapshots.parquet")
    protocol = Protocol(deals, snapshots, first, last, grid, how["seed"])
    return run_backtest(protocol, origins, [REFERENCE, *how["models"]], how["horizons"])


def read_forecasts(folder: Path, wanted: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, dict]]:
    """Read what the tools said, and how; every row that crm_lib is judged by must be there exactly once."""
    parts, runs = [], {}
    for path in sorted(folder.glob("forecasts-*.parquet")):
        part = wanted.merge(pd.read_parquet(path), on=KEYS, how="left", validate="one_to_one")
        if part["probability"].isna().any():
            raise SystemExit(
                f"{path} lacks {part['probability'].isna().sum():,} of {len(part):,} forecasts: run its tool again on this matrix."
            )
        parts.append(part)
        runs[part["model"].iloc[0]] = json.loads(
            (folder / path.name.replace("forecasts-", "run-")).with_suffix(".json").read_text(encoding="utf-8")
        )
    if not parts:
        raise SystemExit(f"{folder} holds no forecasts-*.parquet: run run_flaml.py or run_autogluon.py on it first.")
    return pd.concat(parts, ignore_index=True), runs


def describe_run(run: dict) -> dict:
    """Sum up how a tool ran: what it was given and what it took."""
    fits = run["fits"]
    kept = {
        name: run[name]
        for name in (
            "tool",
            "variant",
            "split",
            "columns",
            "budget_s",
            "seed",
            "validation",
            "python",
            "versions",
            "hardware",
        )
    }
    rows = [fit["rows"] for fit in fits]
    return {
        **kept,
        "fits": len(fits),
        "rows": [min(rows), max(rows)],
        "seconds_median": median(fit["seconds"] for fit in fits),
        "cpu_seconds_median": median(fit["cpu_seconds"] for fit in fits),
        "learners": Counter(fit["learner"] for fit in fits),
    }


def give_verdict(difference: dict[str, float]) -> str:
    """Say in a word what a Brier difference to the chosen model shows."""
    if difference["low"] <= 0 <= difference["high"] or abs(difference["mean"]) < TIE:
        return "tie"
    return "worse" if difference["mean"] > 0 else "better"


def sum_up(judged: pd.DataFrame, chosen: str, draws: int, seed: int) -> dict[str, dict]:
    """Give the figures of every model at every horizon, with its Brier difference to the chosen model."""
    record = summarise(judged, judge_origins(judged), compare_losses(judged, draws, seed))
    compared = compare_losses(judged, draws, seed, chosen).set_index(["horizon", "model"]).to_dict("index")
    beside = {key: {**found, "verdict": give_verdict(found)} for key, found in compared.items()}
    for horizon, part in record.items():
        part["models"] = {
            model: {**{name: figures[name] for name in FIGURES}, "vs_chosen": beside.get((horizon, model))}
            for model, figures in part["models"].items()
        }
    return {
        "horizons": record,
        "overall": {model: found for (horizon, model), found in beside.items() if horizon == "all"},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("matrix", type=Path, help="folder that export_matrix.py wrote and the tools filled")
    parser.add_argument(
        "--backtest", type=Path, help="backtest.parquet of the same deals; without it the backtest is run here"
    )
    parser.add_argument("--result", type=Path, default=ROOT / "benchmarks" / "automl.json")
    given = parser.parse_args()
    params = read_params(ROOT / "params.yaml")
    deals, how = read_deals(given.matrix / "deals.parquet"), params["backtest"]
    own = pd.read_parquet(given.backtest) if given.backtest else backtest(given.matrix, deals, params)
    calendar = FiscalCalendar(params["calendar"]["fiscal_year_start"])
    judged = attach_labels(own, deals, observed_until(deals, params["ingest"]["observed_until"]), calendar)
    judged = judged[judged["model"].isin([REFERENCE, *how["models"]])]
    chosen, why, _ = choose_model(judged, [REFERENCE, *how["models"]])
    wanted = judged.loc[judged["model"] == chosen, ["origin", *KEYS, "is_won"]]
    forecasts, runs = read_forecasts(given.matrix, wanted)
    result = sum_up(pd.concat([judged, forecasts], ignore_index=True), chosen, how["bootstrap"], how["seed"])
    runs = {model: describe_run(run) for model, run in runs.items()}
    print(
        write_json(
            {**result, "chosen": chosen, "why": why, "runs": runs, "bootstrap": how["bootstrap"], "tie": TIE},
            given.result,
        )
    )


if __name__ == "__main__":
    main()
