"""How many rows a second `crm score FILE` scores, and how much memory that takes.

Run as `python benchmarks/measure_score_file.py PROJECT [ROWS]`: PROJECT holds a published bundle in use. A CSV of ROWS
(1,000,000) new open deals is made of the bundle's own, with days of engagement of the last half year, and scored by the
command in a process of its own, without reasons. Writes benchmarks/score_file.json.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from crm_lib.registry.bundles import open_bundle, read_facts
from crm_lib.scoring.context import read_context

RESULTS = Path(__file__).parent
COMMAND = [sys.executable, "-c", "from crm_lib.pipeline.cli import main; main()", "score"]
BLOCK = 50_000


def write_rows(project: Path, path: Path, rows: int) -> None:
    """Write open deals that the CRM does not hold yet."""
    context = read_context(open_bundle(project), project)
    deals = context.deals[(context.deals["stage"] == "engaging") & context.deals["sales_agent"].notna()]
    words = context.params["ingest"]["stages"]
    stage = next(word for word, meant in words.items() if meant == "engaging")
    rng = np.random.default_rng(0)
    for start in range(0, rows, BLOCK):
        count = min(BLOCK, rows - start)
        like = deals.iloc[rng.integers(0, len(deals), count)]
        days = context.as_of - pd.to_timedelta(rng.integers(0, 180, count), unit="D")
        keys = [f"N{place:08}" for place in range(start, start + count)]
        told = {"opportunity_id": keys, "sales_agent": like["sales_agent"].array, "product": like["product"].array}
        table = pd.DataFrame({**told, "account": like["account"].array, "deal_stage": stage, "engage_date": days})
        table.to_csv(path, mode="a", index=False, header=not start)


def measure(project: Path, rows: int) -> dict[str, float | int | str]:
    """Score a file in a process of its own, and give its seconds and its memory."""
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "deals.csv", Path(folder) / "scores.csv"
        write_rows(project, path, rows)
        started = time.perf_counter()
        subprocess.run([*COMMAND, str(path), "-o", str(out)], cwd=project, check=True)
        wall = time.perf_counter() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        with out.open("rb") as file:
            scored = sum(1 for _ in file) - 1
        size = path.stat().st_size
    cpu = used.ru_utime + used.ru_stime
    return {
        "rows": rows,
        "scored": scored,
        "file_mib": round(size / 2**20, 1),
        "cpu_seconds": round(cpu, 1),
        "wall_seconds": round(wall, 1),
        "rows_per_cpu_second": round(rows / cpu),
        "peak_mib": round(used.ru_maxrss / 1024),
        "source": read_facts(open_bundle(project)).source,
        "model": read_facts(open_bundle(project)).model,
    }


def main() -> None:
    """Measure and write."""
    result = measure(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000)
    text = json.dumps(result, indent=2, sort_keys=True)
    (RESULTS / "score_file.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
