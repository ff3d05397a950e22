"""Look at the dashboards as visitors do: how long, how much memory, how many at once; and take the pictures of the documentation.

Run it from the top of the project, on an idle machine:
    python benchmarks/measure_dashboards.py measure FOLDER   a project folder after `dvc repro` -> dashboards.json
    python benchmarks/measure_dashboards.py pictures         the embedded sample in this folder -> docs/dashboards/*.png
Times are those of a browser on the same machine, which shares the cores with the server. A page is opened by a kernel kept warm, by a browser that has the scripts.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from crm_lib.access.users import Viewer
from crm_lib.base.files import write_json
from crm_lib.tests.support.browsing import log_in, open_browser, open_page, run_dashboards

HERE = Path(__file__).parent
PAGES = ("pipeline", "deal_desk", "health")
BUSY = ("Being drawn.", "Scoring the other choices")  # what a page says while it works
USER = (Viewer("Ada", "admin"), "a long enough word")
CROWD = [(Viewer(f"Visitor {number}", "admin"), USER[1]) for number in range(10)]


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
    write_json(
        {
            "first_figures_s": {name: round(statistics.median(found), 2) for name, found in times.items()},
            "warm_kernels_mb": warm,
            "largest_kernel_after_opening_mb": held,
            "interactions_ms": used,
            "ten_at_once": ten,
            "cores": os.cpu_count(),
        },
        HERE / "dashboards.json",
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
    elif sys.argv[1:] == ["pictures"]:
        pictures()
    else:
        raise SystemExit(__doc__)
