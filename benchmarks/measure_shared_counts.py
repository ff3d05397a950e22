"""What it costs a request to be counted, and what Redis costs when it is away: median and worst, in microseconds.

    python benchmarks/measure_shared_counts.py [REDIS_URL]

Without an address a redis-server is started, frozen and killed; the result stands in measure_shared_counts.json.
"""

import json
import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path

from crm_lib.access.circuit import Away, RedisLink, make_client
from crm_lib.access.counters import SharedCounters
from crm_lib.access.key_guard import KeyGuard
from crm_lib.access.rates import Rates
from crm_lib.service.documents import Deal
from crm_lib.service.online import Shelf
from crm_lib.tests.support.redis_servers import RedisServer

COUNT = 5000
DEALS = [Deal(str(number), "West", "Wim", "x" * 2000, "x" * 4000) for number in range(2000)]
PLACE = Path(__file__).with_suffix(".json")


def measure(do, count: int = COUNT) -> dict[str, float]:
    "Time a call: microseconds of wall time and of CPU."
    times = []
    began = time.process_time()
    for _ in range(count):
        start = time.perf_counter()
        do()
        times.append(time.perf_counter() - start)
    cpu = (time.process_time() - began) / count
    middle, worst = statistics.median(times), max(times)
    return {"cpu": round(cpu * 1e6, 1), "median": round(middle * 1e6, 1), "worst": round(worst * 1e6, 1)}


def measure_stores(folder: Path, link: RedisLink) -> dict[str, dict[str, float]]:
    "Time counting and looking up in each store."
    found = {}
    stores = {"memory": SharedCounters(), "sqlite": SharedCounters(path=folder / "c.db"), "redis": SharedCounters(link)}
    for name, counters in stores.items():
        rates, guard = Rates(counters, 10**9, "requests"), KeyGuard(counters, 10**9, 5)
        found[f"rate, {name}"] = measure(lambda rates=rates: rates.take("app"))
        found[f"wrong key, {name}"] = measure(lambda guard=guard: guard.note_wrong("192.0.2.7"))
    for name, shelf in {"memory": Shelf(), "sqlite": Shelf(folder), "redis": Shelf(None, link)}.items():
        kept = shelf.put("bundle", lambda: DEALS, {"": "whole", "=": "none"})
        if name == "redis":
            while not link.client.exists(f"{kept.redis.prefix}:whole"):
                time.sleep(0.05)
        found[f"look-up, {name}"] = measure(lambda kept=kept: kept.find_deal("77"))
    return found


def measure_away(server: RedisServer, link: RedisLink) -> dict[str, dict[str, float]]:
    "Time the question that finds Redis away, and those after it."

    def fail() -> None:
        link.problem = ""
        try:
            link.ask(lambda client: client.get("a"))
        except Away:
            return

    found = {}
    server.freeze()
    found["first question, frozen"] = measure(fail, 50)
    server.thaw()
    server.stop()
    found["first question, killed"] = measure(fail, 50)
    rates = Rates(SharedCounters(link), 10**9, "requests")
    found["rate, redis away"] = measure(lambda: rates.take("app"))
    return found


def main() -> None:
    "Measure, and write the result beside."
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            link = RedisLink(make_client(sys.argv[1] if len(sys.argv) > 1 else server.url))
            found = measure_stores(Path(folder), link)
            if len(sys.argv) == 1:
                found |= measure_away(server, link)
        finally:
            server.thaw()
            server.stop()
    PLACE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for name, times in found.items():
        print(f"{name:24} cpu {times['cpu']:8.1f}  median {times['median']:8.1f}  worst {times['worst']:10.1f} us")


if __name__ == "__main__":
    main()
