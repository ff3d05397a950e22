"""Measure how long the simulator takes and how much memory it needs, by number of deals; writes simulator.json beside itself.

Run it from the top of the project: `python benchmarks/measure_simulator.py 300 10000 1000000 10000000`.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from crm_lib.base.files import write_csv, write_json
from crm_lib.simulation.simulate import simulate, simulate_crm
from crm_lib.simulation.world import World


def peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(deals: int) -> dict[str, float]:
    start = time.perf_counter()
    pipeline = simulate_crm(World(n_deals=deals))["sales_pipeline"]
    found = {"simulate_s": time.perf_counter() - start, "simulate_peak_mib": peak_mib()}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        size = write_csv(pipeline, Path(folder) / "sales_pipeline.csv").stat().st_size
        found |= {"write_csv_s": time.perf_counter() - start, "csv_mib": size / 2**20, "peak_mib": peak_mib()}
    del pipeline
    start = time.perf_counter()
    simulate(World(n_deals=deals))
    return found | {"with_truth_s": time.perf_counter() - start, "with_truth_peak_mib": peak_mib()}


if __name__ == "__main__":
    if sys.argv[1] == "one":
        print(json.dumps(measure(int(sys.argv[2]))))
    else:
        runs = {
            deals: subprocess.run(
                [sys.executable, __file__, "one", deals], check=True, capture_output=True, text=True
            ).stdout
            for deals in sys.argv[1:]
        }
        write_json(
            {deals: json.loads(text) for deals, text in runs.items()},
            Path(__file__).with_name("simulator.json"),
            digits=2,
        )
