"""Fit a tool once for each variant, horizon and origin of the exported matrix, and keep what it says of the deals open at the origin.

`run_flaml.py` and `run_autogluon.py` give the tool; this file gives both the same rows, columns, folds and budget.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Neither tool phones home by itself; parts that they could load do. One thread, so that a budget means the same everywhere.
SWITCHES = {
    "DO_NOT_TRACK": "1",
    "TABPFN_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
os.environ.update(SWITCHES)

import numpy as np
import pandas as pd

FOLDS = 5
Fit = Callable[[pd.DataFrame, np.ndarray, pd.DataFrame, np.ndarray, float, int, Path], tuple[np.ndarray, str]]


def split_by(group: pd.Series, seed: int) -> np.ndarray:
    """Give all rows of a group the same fold, 0 to FOLDS - 1."""
    codes, groups = pd.factorize(group)
    return np.random.default_rng(seed).permutation(len(groups))[codes] % FOLDS


def engagement_week(rows: pd.DataFrame) -> pd.Series:
    """Count the weeks up to each deal's day of engagement; all snapshots of a deal, and of those begun with it, share one."""
    return (rows["as_of"] - pd.to_timedelta(rows["age_days"], unit="D")).astype("int64") // pd.Timedelta(days=7).value


GROUPS = {"deal": lambda rows: rows["opportunity_id"], "week": engagement_week}


def make_category(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn text into categories; a word that the training rows lack is missing in the test rows."""
    kinds = {
        name: pd.CategoricalDtype(sorted(train[name].dropna().unique()))
        for name in train
        if train[name].dtype == object
    }
    return train.astype(kinds), test.astype(kinds)


def read_matrix(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Read what export_matrix.py wrote: the matrix, the labels known at each origin, the plan of fits."""
    names = ("matrix.parquet", "labels.parquet", "plan.json")
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise SystemExit(f"{folder} lacks {', '.join(absent)}: run export_matrix.py into this folder first.")
    return (
        pd.read_parquet(folder / names[0]),
        pd.read_parquet(folder / names[1]),
        json.loads((folder / names[2]).read_text(encoding="utf-8")),
    )


def fit_once(
    fit: Fit,
    matrix: pd.DataFrame,
    labels: pd.DataFrame,
    columns: list[str],
    one: dict[str, str],
    given: argparse.Namespace,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Fit on what the origin knew and forecast the deals open there."""
    origin = pd.Timestamp(one["origin"])
    known = labels.loc[
        (labels["origin"] == origin) & (labels["horizon"] == one["horizon"]), ["as_of", "opportunity_id", "is_won"]
    ]
    rows = known.merge(matrix, on=["as_of", "opportunity_id"], validate="one_to_one")
    test = matrix.loc[matrix["as_of"] == origin].reset_index(drop=True)
    X, ahead = make_category(rows[columns], test[columns])
    start, cpu = time.perf_counter(), time.process_time()
    folds = split_by(GROUPS[given.split](rows), given.seed)
    probability, learner = fit(
        X, rows["is_won"].to_numpy().astype(int), ahead, folds, given.budget, given.seed, given.matrix / "scratch"
    )
    spent = {
        "rows": len(rows),
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "learner": learner,
    }
    return test[["as_of", "opportunity_id"]].assign(horizon=one["horizon"], probability=probability), {**one, **spent}


def run(tool: str, packages: list[str], validation: str, fit: Fit) -> None:
    """Run all fits of the wanted variants and write forecasts-TOOL-VARIANT-SPLIT.parquet and run-TOOL-VARIANT-SPLIT.json into the matrix's folder."""
    parser = argparse.ArgumentParser(description=f"Fit {tool} on the exported matrix.")
    parser.add_argument("matrix", type=Path, help="folder that export_matrix.py wrote")
    parser.add_argument("--budget", type=float, default=30, help="seconds per fit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", choices=GROUPS, default="week", help="what the tool's own validation keeps together")
    parser.add_argument("--variants", nargs="+", default=["same", "all", "plain"])
    given = parser.parse_args()
    given.matrix = given.matrix.resolve()
    matrix, labels, plan = read_matrix(given.matrix)
    unknown = sorted(set(given.variants) - set(plan["variants"]))
    if unknown:
        raise SystemExit(f"There is no variant {', '.join(unknown)}: choose among {', '.join(plan['variants'])}.")
    hardware = f"one core per fit, of a machine with {os.cpu_count()} {platform.machine()} cores"
    about = {
        "tool": tool,
        "budget_s": given.budget,
        "seed": given.seed,
        "split": given.split,
        "validation": validation,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "hardware": hardware,
    }
    for variant in given.variants:
        done = []
        for one in plan["fits"]:
            done.append(fit_once(fit, matrix, labels, plan["variants"][variant], one, given))
            print(f"{tool} {variant}:", *done[-1][1].values(), flush=True)
        forecasts = pd.concat([part for part, _ in done], ignore_index=True).assign(
            model=f"{tool}_{variant}_{given.split}"
        )
        forecasts.to_parquet(given.matrix / f"forecasts-{tool}-{variant}-{given.split}.parquet", index=False)
        record = {**about, "variant": variant, "columns": plan["variants"][variant], "fits": [how for _, how in done]}
        (given.matrix / f"run-{tool}-{variant}-{given.split}.json").write_text(
            json.dumps(record, indent=2), encoding="utf-8"
        )
