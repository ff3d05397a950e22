"""What a service loses when a worker is killed, when another bundle is published, and when Redis stops, while it is asked.

Run as `python benchmarks/measure_service_faults.py PROJECT [SECONDS] [RATE] [-o RESULT]`: PROJECT holds a published bundle in
use; it is copied, never changed. 30 seconds and 100 requests a second where nothing else is said. With redis-server on the
machine, Redis is stopped in the middle of a third run. Writes benchmarks/service_faults.json.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from crm_lib.base.config import LOOPBACK
from crm_lib.base.files import write_json
from crm_lib.registry.bundles import current_name
from crm_lib.service.published import read_bundle
from crm_lib.tests.support.faults import ask_through, count_kill, count_switch, kill_worker, publish_other
from crm_lib.tests.support.running import read_table, run_service


def start_redis(place: Path) -> "tuple[subprocess.Popen[bytes], str] | None":
    "Start a Redis that keeps nothing; none where the machine has none."
    program = shutil.which("redis-server")
    if not program:
        return None
    with socket.create_server((LOOPBACK, 0)) as free:
        port = free.getsockname()[1]
    options = ["--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(place)]
    return subprocess.Popen([program, *options], stdout=subprocess.DEVNULL), f"redis://{LOOPBACK}:{port}/0"


def copy(project: Path, place: Path) -> Path:
    "Copy what a service reads."
    shutil.copytree(project / "bundles", place / "bundles")
    shutil.copyfile(project / "params.yaml", place / "params.yaml")
    return place


def stop(redis: "subprocess.Popen[bytes]") -> float:
    "Stop Redis without a word; give the moment."
    os.kill(redis.pid, signal.SIGKILL)
    redis.wait()
    return time.monotonic()


def measure_redis(project: Path, keys: list[str], seconds: float, rate: float) -> dict[str, Any] | None:
    "Ask while Redis stops."
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = start_redis(place)
        if found is None:
            return None
        redis, address = found
        os.environ["REDIS_URL"] = address
        stack.callback(os.environ.pop, "REDIS_URL")
        service = stack.enter_context(run_service(copy(project, place), place, 2))
        answers, _ = ask_through(service, place, keys, seconds, rate, lambda: stop(redis))
        return count_kill(answers)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("seconds", nargs="?", type=float, default=30.0)
    parser.add_argument("rate", nargs="?", type=float, default=100.0)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("service_faults.json"))
    given = parser.parse_args()
    project, seconds, rate = given.project.resolve(), given.seconds, given.rate
    published = read_bundle(project)
    grades = {str(key): str(grade) for key, grade in read_table(project, "scores")["grade"].items()}
    keys, source = list(grades), published.facts.source
    found: dict[str, Any] = {"source": source, "seconds": seconds, "asked_a_second": rate}
    with tempfile.TemporaryDirectory() as folder:
        place = copy(project, Path(folder))
        with run_service(place, place, 2) as service:
            answers, done = ask_through(service, place, keys, seconds, rate, lambda: kill_worker(service))
            found["worker_killed"] = count_kill(answers) | done
            first = current_name(place)
            answers, second = ask_through(service, place, keys, seconds, rate, lambda: publish_other(place))
            found["bundle_switched"] = count_switch(answers, keys, grades, (first, second))
    found["redis_stopped"] = measure_redis(project, keys, seconds, rate)
    write_json(found, given.output)
    print(found)


if __name__ == "__main__":
    main()
