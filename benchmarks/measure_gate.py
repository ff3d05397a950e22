"""Hold rules of choosing a model against companies whose true chances are known; writes gate.json beside itself.

Run it from the top of the project, on the forecasts that measure_worlds.py keeps:
    python benchmarks/measure_worlds.py --seeds 41 42 43 --as fresh --rows FOLDER
    python benchmarks/measure_gate.py FOLDER [FOLDER ...]
Every rule sees forecasts and outcomes alone and names one candidate per company and seed; its figure is the mean squared
distance of that candidate's chances from the true ones, times 10,000: over all, by company, and the largest loss against
the candidate that was nearest to the truth. `best`: smallest Brier score. `within K`: the simplest within K standard errors
of the best; `within K, table first` has the table of ages and phases before the curve of ages. `proof`: better than the
table beyond doubt, and of those the simplest that is not worse than the best beyond doubt; else the table.
"""

import argparse
import re
from pathlib import Path

import pandas as pd

from crm_lib.base.files import write_json
from crm_lib.evaluation.gate import SIMPLEST, compare_with_best
from crm_lib.evaluation.judging import REFERENCE, pair_losses

MODELS = ("cure_table", "xgboost", "cure_table+states", "xgboost+states", "direct_stacked")
ORDER = (*SIMPLEST, *MODELS)
TABLE_FIRST = (REFERENCE, *(name for name in ORDER if name != REFERENCE))
WITHIN = (0.5, 0.75, 1.0, 1.25, 1.64, 1.96)
DOUBT = 1.96


def prove(rows: pd.DataFrame, compared: pd.DataFrame) -> str:
    "Choose by proof against the table, as the project did before."
    better = []
    for name in MODELS:
        if name in compared.index:
            behind = compare_with_best(rows[rows["model"].isin([name, REFERENCE])], [name, REFERENCE])
            table = behind.loc[REFERENCE]
            better += [name] if table["gap"] > DOUBT * table["error"] else []
    if not better:
        return REFERENCE
    among = compare_with_best(rows[rows["model"].isin(better)], better)
    return str(among.index[(among["gap"] <= DOUBT * among["error"]) & ~among["is_harmful"]][0])


def choose(rows: pd.DataFrame) -> dict[str, str]:
    "Name the candidate of every rule."
    compared = compare_with_best(rows, ORDER)
    found = {"best": str(compared["gap"].idxmin()), "proof": prove(rows, compared)}
    for order, said in ((ORDER, ""), (TABLE_FIRST, ", table first")):
        kept = compared.loc[[name for name in order if name in compared.index]]
        for times in WITHIN:
            is_near = kept["gap"] <= times * kept["error"] + 1e-12
            found[f"within {times:g}{said}"] = str(kept.index[is_near][0])
    return found


def measure(file: Path) -> dict[str, float]:
    "Give 10,000 times the squared distance to the truth of what each rule names, and of the nearest candidate."
    rows = pd.read_parquet(file).astype({"model": str, "horizon": str, "is_won": float})
    rows = rows[rows["model"].isin(ORDER)]
    wide = pair_losses(rows.assign(probability=rows["probability"] - rows["truth"], is_won=0.0))
    names = [name for name in ORDER if name in wide]
    distance = 1e4 * wide[names].mul(wide["weight"], axis=0).sum()
    return {rule: float(distance[name]) for rule, name in choose(rows).items()} | {"nearest": float(distance.min())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="folders that measure_worlds.py --rows wrote")
    files = [file for folder in parser.parse_args().folders for file in sorted(folder.glob("*.parquet"))]
    if not files:
        raise SystemExit("The folders hold no forecasts: run measure_worlds.py with --rows first.")
    keys = [re.fullmatch(r"(\w+)_(\d+)", file.stem).groups() for file in files]
    found = pd.DataFrame([measure(file) for file in files])
    company = pd.Series([name for name, _ in keys])
    loss = found.sub(found["nearest"], axis=0)
    result = {
        "companies_and_seeds": len(files),
        "seeds": sorted({int(seed) for _, seed in keys}),
        "mean": found.mean().to_dict(),
        "largest_loss": loss.max().to_dict(),
        "companies": found.groupby(company).mean().to_dict("index"),
    }
    print(pd.DataFrame({key: result[key] for key in ("mean", "largest_loss")}).round(2).to_string())
    write_json(result, Path(__file__).with_name("gate.json"), digits=4)


if __name__ == "__main__":
    main()
