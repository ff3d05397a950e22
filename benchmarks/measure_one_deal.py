"""
CPU of one deal: its chances alone, and with its reasons, with states and without.

    python benchmarks/measure_one_deal.py PROJECT [PROJECT ...]

Each project is a folder where `dvc repro` has run; its published bundle is read, and 300 of its open deals are asked
one at a time after a warm-up. `chances` begins with a deal's features and ends with chances, grade and value;
`features` takes them from a deal of the CRM, `new_features` from one never seen: of every owner, over the days of half
a year; again once more;
`scored_per_second` counts deals with features. Milliseconds of CPU, not of the clock. Only sums over deals are
written, to one_deal.json.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crm_lib.base.files import write_json
from crm_lib.features.state_features import STATE_FEATURES
from crm_lib.registry.bundles import open_bundle
from crm_lib.scoring.context import Context, read_context, score_snapshots
from crm_lib.scoring.explanation import reason_features, used_features
from crm_lib.scoring.looks import Looks
from crm_lib.scoring.opportunity import Opportunity, pick
from crm_lib.scoring.scorer import Scorer

HERE = Path(__file__).parent
DEALS = 300
WARM = 5
MANY = 50_000


def cost(ask: Callable[[Any], Any], deals: Iterable[Any]) -> dict[str, float]:
    "Give the CPU of a question, ms per deal: median and 99th percentile."
    spent = []
    for deal in deals:
        start = time.process_time()
        ask(deal)
        spent.append(1000 * (time.process_time() - start))
    found = np.array(spent[WARM:])
    return {"median_ms": float(np.median(found)), "p99_ms": float(np.quantile(found, 0.99))}


def open_deals(context: Context, bundle: Path) -> pd.DataFrame:
    "Read the snapshots of deals that are open on the last day known, evenly drawn; so many more as warm the caches."
    snapshots = pd.read_parquet(bundle / "artifacts" / "snapshots.parquet")
    today = snapshots[snapshots["as_of"] == snapshots["as_of"].max()]
    place = np.linspace(0, len(today) - 1, min(DEALS, len(today))).round().astype(int)
    return today.iloc[[*place[:WARM], *place]].reset_index(drop=True)


def new_deals(context: Context) -> list[Opportunity]:
    "Make deals that nobody has seen, one day of engagement and one owner after the other."
    agents = sorted(context.deals["sales_agent"].dropna().unique())
    products = sorted(context.deals["product"].dropna().unique())
    ages = np.arange(DEALS) * 7 % 180
    return [
        Opportunity(
            agents[place % len(agents)],
            products[place % len(products)],
            context.as_of - pd.Timedelta(days=int(age)),
            1000.0,
            f"(new {place})",
        )
        for place, age in enumerate(ages)
    ]


def per_second(context: Context, today: pd.DataFrame) -> float:
    "Give how many deals with features are scored in a second of CPU."
    many = today.iloc[np.resize(np.arange(len(today)), MANY)].reset_index(drop=True)
    many["opportunity_id"] = np.arange(MANY).astype(str)
    start = time.process_time()
    score_snapshots(context, many, pd.Series(1000.0, index=many["opportunity_id"]))
    return float(round(MANY / (time.process_time() - start)))


def measure(project: Path) -> dict[str, Any]:
    "Measure the deals of a project."
    bundle = Path(open_bundle(project))
    context = read_context(bundle, project)
    scorer = Scorer(context)
    looks = Looks(context)
    today = open_deals(context, bundle)
    rows = [today.iloc[[place]].reset_index(drop=True) for place in range(len(today))]
    keys = [key for key in today["opportunity_id"] if key in set(context.mine["opportunity_id"])]
    return {
        "model": type(context.model).__name__,
        "states": not set(used_features(context.model)).isdisjoint(STATE_FEATURES),
        "columns": len(used_features(context.model)),
        "reasons_of": len(reason_features(context.model)),
        "deals": len(rows) - WARM,
        "chances": cost(lambda record: scorer.score(record, 1000.0), today.to_dict("records")),
        "reasons": cost(scorer.explain, rows),
        "features": cost(lambda key: looks.look(pick(context, key), context.as_of), keys),
        "new_features": cost(lambda one: looks.look(one, context.as_of), new_deals(context)),
        "new_features_again": cost(lambda one: looks.look(one, context.as_of), new_deals(context)),
        "scored_per_second": per_second(context, today),
    }


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if len(sys.argv) < 2:
        sys.exit("Name the folders of projects where `dvc repro` has run.")
    found = {}
    for folder in map(Path, sys.argv[1:]):
        name = open_bundle(folder).name.split("-")[0]  # a bundle is named after its source of data
        found[name] = measure(folder)
        print(name, found[name], flush=True)
    write_json(found, HERE / "one_deal.json", digits=3)
