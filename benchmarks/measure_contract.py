"""Whether the service of a project keeps its description, over minutes of requests that schemathesis draws from it.

Run as `python benchmarks/measure_contract.py PROJECT [SECONDS] [SEED] [-o RESULT]`: PROJECT holds a published bundle in use;
300 seconds and seed 1 where nothing else is said. Writes benchmarks/contract.json: cases, answers by route and status, what failed.
"""

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

from crm_lib.base.files import write_json
from crm_lib.service.published import read_bundle
from crm_lib.tests.support.contract import ask_everything
from crm_lib.tests.support.running import read_table, run_service

LINE = re.compile(r'"method": "(\w+)", "route": "([^"]+)", "status": (\d+)')


def main() -> int:
    """Ask, count and write; 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("seconds", nargs="?", type=int, default=300)
    parser.add_argument("seed", nargs="?", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("contract.json"))
    given = parser.parse_args()
    project, seconds, seed = given.project.resolve(), given.seconds, given.seed
    published = read_bundle(project)
    day, ids = published.context.as_of, list(read_table(project, "scores").index[:20])
    source = published.facts.source
    del published
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with run_service(project, place) as service:
            asked = ask_everything(service.address, service.key, place, f"{day:%Y-%m-%d}", ids, seconds, seed, 100_000)
            answers = Counter(" ".join(found) for found in LINE.findall(service.log.read_text()))
    found = {"source": source, "seconds": seconds, "seed": seed, "cases": asked.cases, "passed": asked.passed}
    write_json(found | {"answers": dict(sorted(answers.items()))}, given.output)
    print(asked.said if not asked.passed else json.dumps(found))
    return 0 if asked.passed else 1


if __name__ == "__main__":
    sys.exit(main())
