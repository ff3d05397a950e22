"""How fast the scoring service answers, beside the same model behind `mlflow models serve`.

Run as `python benchmarks/measure_service.py PROJECT [PROJECT2] [-o RESULT] [--seconds 20] [--workers 2]`: each PROJECT holds a
published bundle in use. Requests are due at moments drawn before (a Poisson process) and their time counts from then;
opportunities are those of the bundle, told anew under another key, then begun a day earlier, and so on, and no answer is
kept, so that each of them is scored. Writes benchmarks/service.json.
"""

import argparse
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import yaml

from crm_lib.base.config import LOOPBACK
from crm_lib.base.files import write_json
from crm_lib.service.published import Published, read_bundle
from crm_lib.tests.support.load import LoadPlan, read_answers, start_asking, summarize, write_request
from crm_lib.tests.support.running import read_table, run_service

HERE = Path(__file__).parent
WARM = 1.0  # seconds at the beginning that do not count
AIMS = {
    "new": ("p99_ms", 20),
    "known": ("p99_ms", 20),
    "reasons": ("p99_ms", 100),
    "batch": ("opportunities_a_second", 50_000),
    "batch_of_new": ("opportunities_a_second", 50_000),
}
MOST = 6000  # different opportunities
BATCH = 1000  # opportunities in a request
HISTORY = ("changes", "activities", "known_since")  # left out in a batch of new deals


def plain(value: Any) -> Any:
    "Give a value as JSON holds it; none where it is missing."
    return None if pd.isna(value) else value.isoformat() if isinstance(value, pd.Timestamp) else value


def tell_history(published: Published, key: str) -> dict[str, Any]:
    "Tell what is recorded of a deal."
    past = published.context.past
    if past is None:
        return {}
    changes, known, acts = (
        table[table["opportunity_id"] == key]
        for table in (past.tracked.changes, past.tracked.known_since, past.tracked.activities)
    )
    told = [
        {
            "at": plain(row.changed_at),
            "recorded_at": plain(row.recorded_at),
            "column": row.column,
            "value": row.number
            if row.column == "amount"
            else f"{row.date:%Y-%m-%d}"
            if row.column == "expected_close_date"
            else row.value,
        }
        for row in changes.itertuples()
        if not pd.isna(row.value)
    ]
    seen = [
        {"at": plain(row.at), "recorded_at": plain(row.recorded_at), "by": plain(row.by)} for row in acts.itertuples()
    ]
    since = {row.column: plain(row.since) for row in known.itertuples() if row.column in set(changes["column"])}
    return {"changes": told[-1000:], "activities": seen[-1000:], "known_since": since}


def tell_deals(published: Published, keys: list[str]) -> list[dict[str, Any]]:
    "Tell open deals of the bundle as deals that nobody knows, each with a value of its own."
    context = published.context
    deals = context.deals.set_index("opportunity_id").loc[keys]
    deals = deals[deals["engage_date"].notna() & (deals["engage_date"] > context.as_of - pd.Timedelta(days=3500))]
    told = [
        {
            "sales_agent": plain(row["sales_agent"]),
            "product": plain(row["product"]),
            "engage_date": row["engage_date"],
            "as_of": f"{context.as_of:%Y-%m-%d}",
            **tell_history(published, str(key)),
        }
        for key, row in deals.iterrows()
    ]
    passes = [(earlier, deal) for earlier in range(MOST // len(told) + 1) for deal in told]
    return [
        deal
        | {
            "engage_date": f"{deal['engage_date'] - pd.Timedelta(days=earlier):%Y-%m-%d}",
            "value_if_won": 1000.0 + place,
        }
        for place, (earlier, deal) in enumerate(passes[:MOST])
    ]


@contextmanager
def stand_in(project: Path, place: Path) -> Iterator[Path]:
    "Give a project that reads the same bundle, without limits on what one program may ask."
    settings = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    service = settings["service"] | {"most_batch": 100_000, "most_bytes": 100_000_000}
    settings["service"] = {name: 0 if name.endswith("_per_minute") else value for name, value in service.items()}
    settings["service"]["cached_scores"] = 0  # each question is answered anew
    (place / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (place / "bundles").symlink_to(project / "bundles")
    yield place


def measure(
    service: Any, place: Path, requests: list[str], seconds: float, rate: float, lines: int = 64
) -> dict[str, Any]:
    "Ask for a while, and say how the answers came and what they cost."
    before = service.seconds()
    answers = read_answers(start_asking(LoadPlan(service.port, requests, seconds + WARM, rate, lines), place), place)
    told = summarize(answers, WARM)
    return {
        "asked_a_second": rate,
        **told,
        "cpu_ms_a_request": round(1000 * (service.seconds() - before) / max(len(answers), 1), 3),
    }


def write_batches(service: Any, rows: list[dict[str, Any]]) -> list[str]:
    "Write batches of these opportunities, in turn."
    whole = (rows * (BATCH // len(rows) + 1))[: max(len(rows) // BATCH, 1) * BATCH]
    parts = [whole[start : start + BATCH] for start in range(0, len(whole), BATCH)]
    return [write_request("POST", "/v1/score/batch", service.sent, {"opportunities": part}) for part in parts]


def measure_service(
    service: Any, place: Path, told: list[dict[str, Any]], keys: list[str], seconds: float
) -> dict[str, Any]:
    "Ask for new deals, known ones, reasons and batches."
    day = {"as_of": told[0]["as_of"]}
    new = [write_request("POST", "/v1/score", service.sent, deal | {"reasons": 0}) for deal in told]
    explained = [write_request("POST", "/v1/score", service.sent, deal | {"reasons": 3}) for deal in told]
    known = [write_request("GET", f"/v1/opportunities/{key}/score", service.sent) for key in keys]
    bare = [{name: value for name, value in deal.items() if name not in HISTORY} for deal in told]
    stored_deals = [{"opportunity_id": key} | day for key in keys]
    batch, fresh, stored = (write_batches(service, rows) for rows in (told, bare, stored_deals))
    found = {
        "new": measure(service, place, new, seconds, 500),
        "known": measure(service, place, known, seconds, 500),
        "reasons": measure(service, place, explained, seconds, 20),
        "batch": measure(service, place, batch, seconds, 0, 2),
        "batch_of_new": measure(service, place, fresh, seconds, 0, 2),
        "batch_of_the_bundle": measure(service, place, stored, seconds, 0, 2),
        "new_as_fast_as_it_goes": measure(service, place, new, seconds, 0, 8),
        "new_in_peace": measure(service, place, new, seconds, 5),
    }
    for name in ("batch", "batch_of_new", "batch_of_the_bundle"):
        found[name]["opportunities_a_second"] = round(found[name]["answered_a_second"] * BATCH)
    return found


class Rival:
    """The served pyfunc: a process and its workers."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process, self.port = process, port

    def processes(self) -> list[int]:
        """Number the process and all below it."""
        found, new = [], [self.process.pid]
        while new:
            number = new.pop()
            found.append(number)
            new += map(int, Path(f"/proc/{number}/task/{number}/children").read_text().split())
        return found

    def seconds(self) -> float:
        """Give the CPU that they have taken, seconds."""
        lines = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in self.processes()]
        return sum(int(line[11]) + int(line[12]) for line in lines) / os.sysconf("SC_CLK_TCK")


@contextmanager
def run_rival(project: Path, place: Path, way: str, workers: int) -> Iterator[Rival]:
    "Serve the pyfunc with `mlflow models serve`."
    import mlflow.pyfunc

    mlflow.pyfunc.save_model(
        str(place / "model"),
        python_model=str(HERE / "service_pyfunc.py"),
        model_config={"project": str(project), "way": way},
        pip_requirements=["crm_lib"],
    )
    with socket.create_server((LOOPBACK, 0)) as free:
        port = int(free.getsockname()[1])
    command = [
        str(Path(sys.executable).with_name("mlflow")),
        "models",
        "serve",
        "-m",
        str(place / "model"),
        "-p",
        str(port),
    ]
    command += ["--env-manager", "local", "-w", str(workers), "--host", LOOPBACK]
    environment = os.environ | {"PYTHONPATH": str(HERE.parent), "MLFLOW_TRACKING_URI": f"sqlite:///{place}/mlflow.db"}
    with (place / "rival.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=place, env=environment, stdout=log, stderr=log, start_new_session=True)
    rival = Rival(process, port)
    try:
        wait_for(rival, place / "rival.log")
        yield rival
    finally:
        for number in reversed(rival.processes()):
            os.kill(number, 15)
        process.wait(timeout=60)


def wait_for(rival: Rival, log: Path) -> None:
    "Wait until it answers, three minutes at most."
    end = time.monotonic() + 180
    while time.monotonic() < end:
        if rival.process.poll() is not None:
            break
        try:
            if httpx.get(f"http://{LOOPBACK}:{rival.port}/ping", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise SystemExit(f"the rival does not answer:\n{log.read_text()[-3000:]}")


def measure_rival(rival: Rival, place: Path, told: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    "Ask the pyfunc for the same new deals."
    new = [write_request("POST", "/invocations", {}, {"dataframe_records": [deal]}) for deal in told]
    return {
        "new_as_fast_as_it_goes": measure(rival, place, new, seconds, 0, 8),
        "new_in_peace": measure(rival, place, new, seconds, 5),
    }


def compare(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    "Say how many times the rival's throughput and median time ours are."
    fast, peace = (("new_as_fast_as_it_goes", "answered_a_second"), ("new_in_peace", "p50_ms"))
    return {
        "throughput": round(ours[fast[0]][fast[1]] / max(theirs[fast[0]][fast[1]], 1e-9), 2),
        "p50": round(theirs[peace[0]].get(peace[1], float("nan")) / ours[peace[0]].get(peace[1], float("nan")), 2),
        "cpu": round(theirs[fast[0]]["cpu_ms_a_request"] / max(ours[fast[0]]["cpu_ms_a_request"], 1e-9), 2),
    }


def measure_project(project: Path, seconds: float, workers: int, rivals: list[str]) -> tuple[str, dict[str, Any]]:
    "Measure service and rivals on one project."
    published = read_bundle(project)
    keys = list(read_table(project, "scores").index)
    told = tell_deals(published, keys)
    facts, histories = published.facts, published.context.past is not None
    del published
    found: dict[str, Any] = {"model": facts.model, "histories": histories, "opportunities_told": len(told)}
    with ExitStack() as stack:
        place = stack.enter_context(stand_in(project, Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        service = stack.enter_context(run_service(place, place, workers))
        found["service"] = measure_service(service, place, told, keys, seconds)
        found["service"]["memory_mb"] = round(service.memory("VmHWM"))
    for way in rivals:
        with tempfile.TemporaryDirectory() as folder, run_rival(project, Path(folder), way, workers) as rival:
            theirs = measure_rival(rival, Path(folder), told, seconds)
            found[f"mlflow_{way}"] = theirs | {"times_as_good": compare(found["service"], theirs)}
    found["aims"] = {
        name: {"aim": aim, "measured": found["service"][name].get(figure)} for name, (figure, aim) in AIMS.items()
    }
    return facts.source, found


def say_machine() -> dict[str, Any]:
    "Describe the machine."
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": ", ".join(sorted(names)),
        "cores": os.cpu_count(),
        "memory_gb": round(memory),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("projects", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "service.json")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rivals", default="tables,scorer", help="ways of the pyfunc, with commas; none = no rival")
    given = parser.parse_args()
    rivals = [] if given.rivals == "none" else given.rivals.split(",")
    found: dict[str, Any] = {
        "machine": say_machine(),
        "seconds": given.seconds,
        "workers": given.workers,
        "projects": {},
    }
    for project in given.projects:
        source, figures = measure_project(project.resolve(), given.seconds, given.workers, rivals)
        found["projects"][source] = figures
        print(source, json.dumps(figures, indent=1), flush=True)
        write_json(found, given.output)


if __name__ == "__main__":
    main()
