"""
CPU and wall seconds of the stages of a project, one after the other.

    python benchmarks/measure_stages.py PROJECT [STAGE ...]

The project is a copy where `dvc repro` has run and nothing else is going on: each stage is run again by `crm run`, in
the order of the pipeline, and the CPU of all processes that it starts is counted. Named stages alone are run where
some are named. stages.json keeps what was found of other stages and projects, and the budget of each stage: CPU seconds
on the public data, 300 in all, so that a whole `dvc repro` stays under five minutes on two idle cores.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import yaml

from crm_lib.base.files import write_json
from crm_lib.registry.bundles import open_bundle

FILE = Path(__file__).parent / "stages.json"
BUDGET = {  # CPU seconds of a stage on the public data
    "ingest": 8,
    "validate": 8,
    "explore": 9,
    "features": 11,
    "leak_story": 20,
    "tuning": 29,
    "backtest": 93,
    "train": 10,
    "models": 10,
    "explain": 46,
    "forecast": 26,
    "model_card": 12,
    "publish": 9,
    "monitor": 9,
}


def run_stage(project: Path, stage: str) -> dict[str, float]:
    "Run a stage and give its seconds."
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(["crm", "run", stage], cwd=project, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_s": used, "wall_s": time.perf_counter() - start}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("Name the folder of a project where `dvc repro` has run, a copy that may be changed.")
    folder = Path(sys.argv[1])
    name = open_bundle(folder).name.split("-")[0]  # a bundle is named after its source of data
    listed = [task["name"] for task in yaml.safe_load((folder / "pipeline.yaml").read_text("utf-8"))["tasks"]]
    found = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
    found["budget_cpu_s"] = BUDGET
    for stage in sys.argv[2:] or listed:
        found.setdefault(name, {})[stage] = run_stage(folder, stage)
        print(name, stage, found[name][stage], "budget", BUDGET.get(stage), flush=True)
        write_json(found, FILE, digits=1)
