"""Look at the dashboards as visitors do: how long, how much memory, how many at once; and take the pictures of the documentation.

Run it from the top of the project, on an idle machine:
    python benchmarks/measure_dashboards.py measure FOLDER   a project folder after `dvc repro` -> dashboards.json
    python benchmarks/measure_dashboards.py desk FOLDER NAME a kernel of the Deal desk alone, without a browser -> dashboards.json, under deal_desk_kernel, NAME (such as before, after)
    python benchmarks/measure_dashboards.py pictures         the embedded sample in this folder -> docs/dashboards/*.png
Times are those of a browser on the same machine, which shares the cores with the server. A page is opened by a kernel kept warm, by a browser that has the scripts.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import psutil
from jupyter_client.manager import start_new_kernel

from crm_lib.access.users import Viewer
from crm_lib.base.files import write_json
from crm_lib.tests.support.browsing import log_in, open_browser, open_page, run_dashboards

HERE = Path(__file__).parent
PAGES = ("pipeline", "deal_desk", "health")
BUSY = ("Being drawn.", "Scoring the other choices")  # what a page says while it works
USER = (Viewer("Ada", "admin"), "a long enough word")
CROWD = [(Viewer(f"Visitor {number}", "admin"), USER[1]) for number in range(10)]


# What a kernel of the Deal desk is asked, after the cells that it runs before anybody is known. CPU is that of the kernel alone.
ASKED = """
import json, statistics, sys, time
from dataclasses import replace
import pandas as pd, psutil
from crm_lib.access.users import LOCAL
from crm_lib.dashboards import deal_desk as page
from crm_lib.scoring.edits import Edits, find_standing, list_editable, list_stages
from crm_lib.scoring.opportunity import pick
from crm_lib.scoring.uploads import score_upload
from crm_lib.scoring.what_if import list_kinds, score_one, what_would_change

def held():
    found = psutil.Process().memory_full_info()
    return {"rss_mb": round(found.rss / 2**20), "pss_mb": round(found.pss / 2**20)}

def timed(act, times):
    spent = []
    for _ in range(times):
        cpu, wall = time.process_time(), time.perf_counter()
        act()
        spent.append((1000 * (time.process_time() - cpu), 1000 * (time.perf_counter() - wall)))
    return {"cpu_ms": round(statistics.median(one[0] for one in spent), 1), "ms": round(statistics.median(one[1] for one in spent), 1)}

told = {"warm": held()}
kept = []
def open_page():
    context = page._open_context(LOCAL, None)
    kept.append((context, page.build_desk(context)))
told["open"] = timed(open_page, 1)
context, (_, desk, board) = kept[0]
desk.show_changes(desk.turn)
told["first_answer"] = held()
deal = pick(context, desk.open["opportunity_id"].iloc[len(desk.open) // 2])
known, day = list_editable(context.past), context.as_of
other = next(iter([name for name in list_stages(context.past) if name != find_standing(context.past, deal.opportunity_id, day).stage]), None)
questions = {"as in the CRM": deal, "another day of engagement": replace(deal, engage_date=deal.engage_date - pd.Timedelta(days=3))}
if "stage" in known:
    questions["another stage"] = replace(deal, edits=Edits(stage=other))
if "amount" in known:
    questions["another amount"] = replace(deal, edits=Edits(amount=12345.0))
told["answers"] = {name: timed(lambda: score_one(context, one), 15) for name, one in questions.items()}
told["comparisons"] = {kind: timed(lambda: what_would_change(context, deal, kind=kind), 5) for kind in list_kinds(context)}
mine = context.mine[context.mine["opportunity_id"].isin(desk.open["opportunity_id"].head(100))]
words = {meant: word for word, meant in context.params["ingest"]["stages"].items()}
stages = [find_standing(context.past, key, day).stage or words["engaging"] for key in mine["opportunity_id"]]
file = mine[["opportunity_id", "sales_agent", "product", "account", "engage_date"]].assign(deal_stage=stages, close_date="", close_value="")
told["file_of_100_rows"] = timed(lambda: score_upload(context, file.to_csv(index=False).encode()), 1)
told["file_scored"] = held()
told["loaded"] = sorted({"matplotlib", "mlflow", "numba", "shap", "sklearn", "xgboost"} & set(sys.modules))
print("TOLD" + json.dumps(told))
"""


def run_in(client: Any, code: str) -> str:
    "Run code in a kernel and give what it printed."
    said: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            said.append(message["content"]["text"])

    reply = client.execute_interactive(code, timeout=600, output_hook=hear)["content"]
    if reply["status"] != "ok":
        raise SystemExit("\n".join(reply["traceback"]))
    return "".join(said)


def desk(folder: str, name: str) -> None:
    "Run the Deal desk's cells in a kernel, ask it as its page does, and write what that took."
    cells = nbformat.read(HERE.parent / "nbs" / "dashboards" / "deal_desk.ipynb", 4).cells
    first = next(cell.source for cell in cells if cell.cell_type == "code")
    manager, client = start_new_kernel(env={**os.environ, "CRM_PROJECT": str(Path(folder).resolve())})
    try:
        start = time.monotonic()
        run_in(client, first)
        ready = {"until_warm_s": round(time.monotonic() - start, 1)}
        ready["until_warm_cpu_s"] = float(run_in(client, "import time; print(round(time.process_time(), 1))"))
        found = run_in(client, ASKED)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    path = HERE / "dashboards.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    kernels = {**kept.get("deal_desk_kernel", {}), name: ready | json.loads(found.partition("TOLD")[2])}
    write_json({**kept, "deal_desk_kernel": kernels, "cores": os.cpu_count()}, path, digits=2)


def show(page: Any, address: str, name: str) -> float:
    "Open a dashboard and give the seconds until its first figures stand."
    start = time.monotonic()
    page.goto(f"{address}/voila/render/{name}.ipynb", wait_until="commit")
    page.locator(".crm-tile").first.wait_for(timeout=180_000)
    return time.monotonic() - start


def kernels() -> list[int]:
    "Give the resident memory of every kernel below this process, MB."
    below = psutil.Process(os.getpid()).children(recursive=True)
    return sorted(
        round(one.memory_info().rss / 2**20) for one in below if "ipykernel_launcher" in " ".join(one.cmdline())
    )


def act(page: Any, act_on: Callable[[], Any], until: str) -> float:
    "Give the milliseconds until an action shows in the page."
    page.evaluate(
        "until => { window.crmSeen = new Promise(done => { const look = () => eval(until) ? done() : requestAnimationFrame(look); look() }) }",
        until,
    )
    start = time.monotonic()
    act_on()
    page.evaluate("window.crmSeen")
    return round(1000 * (time.monotonic() - start))


def interact(page: Any) -> dict[str, float]:
    "Use the list of deals, and give milliseconds."
    count = "[...document.querySelectorAll('.crm-note')].map(one => one.innerText).find(text => text.includes('open deals,'))"
    page.evaluate(f"window.crmCount = {count}")
    first = "document.querySelector('table tbody tr td').innerText"
    found = {
        "filter": act(page, lambda: page.get_by_label("Grade").select_option(index=1), f"{count} != window.crmCount")
    }
    page.evaluate(f"window.crmFirst = {first}")
    found["sort"] = act(
        page, lambda: page.get_by_role("button", name="Expected").first.click(), f"{first} != window.crmFirst"
    )
    found["open a deal"] = act(
        page, lambda: page.locator("table tbody tr td button").first.click(), "document.querySelector('dialog[open]')"
    )
    found["its reasons drawn"] = act(
        page, lambda: None, "[...document.querySelectorAll('dialog img')].some(one => one.offsetWidth)"
    )
    return found


def measure(folder: str) -> None:
    "Open every page some times, use one, then come with ten browsers at once."
    with run_dashboards(folder, [USER, *CROWD]) as served, open_browser() as browser:
        with open_page(browser) as (page, _):
            log_in(page, served.address, USER[0].name, USER[1])
            for name in PAGES:
                show(page, served.address, name)
                time.sleep(12)
            warm, times, held = kernels(), {name: [] for name in PAGES}, {}
            for name in PAGES * 3:
                times[name].append(show(page, served.address, name))
                time.sleep(12)
                held[name] = kernels()[-1]
            show(page, served.address, "pipeline")
            time.sleep(12)
            used = interact(page)
        together = []
        for place in range(10):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            together.append((PAGES[place % 3], context.new_page()))
            log_in(together[-1][1], served.address, CROWD[place][0].name, USER[1])
        start = time.monotonic()
        for name, page in together:
            page.goto(f"{served.address}/voila/render/{name}.ipynb", wait_until="commit", timeout=180_000)
        for _, page in together:
            page.locator(".crm-tile").first.wait_for(timeout=180_000)
        ten = {"seconds_until_all_show_figures": round(time.monotonic() - start, 1), "kernels_mb": kernels()}
    path = HERE / "dashboards.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    write_json(
        {
            **kept,
            "first_figures_s": {name: round(statistics.median(found), 2) for name, found in times.items()},
            "warm_kernels_mb": warm,
            "largest_kernel_after_opening_mb": held,
            "interactions_ms": used,
            "ten_at_once": ten,
            "cores": os.cpu_count(),
        },
        path,
        digits=2,
    )


def pictures() -> None:
    "Take each dashboard at two widths, by day on the desk and by night on the telephone."
    top = HERE.parent
    target = top / "docs" / "dashboards"
    target.mkdir(parents=True, exist_ok=True)
    with run_dashboards(top, [USER]) as served, open_browser() as browser:
        for width, height, dark in ((1440, 1100, False), (390, 844, True)):
            with open_page(browser, width, height, dark) as (page, _):
                log_in(page, served.address, USER[0].name, USER[1])
                for name in PAGES:
                    show(page, served.address, name)
                    for busy in BUSY:
                        page.get_by_text(busy).first.wait_for(state="detached", timeout=60_000)
                    page.wait_for_timeout(1500)
                    page.screenshot(path=target / f"{name}_{width}.png")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "measure":
        measure(sys.argv[2])
    elif len(sys.argv) == 4 and sys.argv[1] == "desk":
        desk(*sys.argv[2:])
    elif sys.argv[1:] == ["pictures"]:
        pictures()
    else:
        raise SystemExit(__doc__)
