"""Measure states and features of a large company on two cores; writes states.json beside itself.

Run it from the top of the project: `python benchmarks/measure_states.py 1000000 35`.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from crm_lib.base.files import write_json
from crm_lib.features.spells import find_spells, list_open
from crm_lib.features.state_features import compute_features, index_records, learn_states, state_features
from crm_lib.features.states import look_up_states

STAGES = np.array(["Qualified", "Demo", "Proposal", "Negotiation", "Won", "Lost"], object)
WORDS = dict.fromkeys(STAGES[:4], "engaging") | {"Won": "won", "Lost": "lost"}
FIRST = np.datetime64("2021-01-01", "m")
DAYS = 1095


def spent() -> dict[str, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_s": used.ru_utime + used.ru_stime, "wall_s": time.perf_counter()}


def peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def make_company(deals: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Draw changes (five a deal), known_since and deals, without a loop over deals."""
    rng = np.random.default_rng(seed)
    ids = np.char.add("D", np.char.zfill(np.arange(deals).astype(str), 8)).astype(object)
    begin = np.sort(rng.integers(0, DAYS * 1440, deals))
    life = (rng.weibull(1.2, deals) * 80 * 1440).astype("int64") + 60
    every = np.arange(deals)
    first = [
        pd.DataFrame({"deal": every, "minute": begin, "column": name, "code": rng.integers(0, most, deals)})
        for name, most in {"stage": 1, "expected_close_date": 90, "amount": 1000}.items()
    ]
    some = rng.integers(0, deals, int(deals * 1.12))
    moved = pd.DataFrame({"deal": some, "minute": begin[some] + (rng.random(len(some)) * life[some]).astype("int64")})
    which = rng.choice(3, len(some), p=[0.5, 0.35, 0.15])
    moved["column"] = np.array(["stage", "expected_close_date", "amount"], object)[which]
    moved["code"] = rng.integers(0, np.array([4, 240, 1000])[which])
    ended = pd.DataFrame({"deal": every, "minute": begin + life, "column": "stage"})
    ended["code"] = np.where(rng.random(deals) < 0.4, 4, 5)
    told = pd.concat([*first, moved, ended], ignore_index=True)
    told = told[told["minute"] < DAYS * 1440].sort_values(["deal", "column", "minute"], kind="stable")
    return _lay_out(told, ids), _known_since(ids, begin), _deals(ids, begin, rng)


def _lay_out(told: pd.DataFrame, ids: np.ndarray) -> pd.DataFrame:
    moment = (FIRST + told["minute"].to_numpy()).astype("datetime64[ns]")
    is_stage = (told["column"] == "stage").to_numpy()
    code = told["code"].to_numpy()
    shown = np.full(len(told), None, object)
    shown[is_stage] = STAGES[code[is_stage]]
    is_date = (told["column"] == "expected_close_date").to_numpy()
    date = np.where(is_date, moment + code * np.timedelta64(1, "D"), np.datetime64("NaT")).astype("datetime64[D]")
    return pd.DataFrame(
        {
            "opportunity_id": ids[told["deal"].to_numpy()],
            "changed_at": moment,
            "recorded_at": moment,
            "column": told["column"].to_numpy(object),
            "value": shown,
            "number": np.where(is_stage | is_date, np.nan, code * 100.0 + 100),
            "date": date.astype("datetime64[ns]"),
        }
    )


def _known_since(ids: np.ndarray, begin: np.ndarray) -> pd.DataFrame:
    since = (FIRST + begin).astype("datetime64[ns]")
    parts = [
        pd.DataFrame({"opportunity_id": ids, "column": name, "since": since})
        for name in ("stage", "expected_close_date", "amount")
    ]
    return pd.concat(parts, ignore_index=True)


def _deals(ids: np.ndarray, begin: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    owners = np.array([f"owner {place}" for place in range(300)], object)
    return pd.DataFrame(
        {
            "opportunity_id": ids,
            "engage_date": (FIRST + begin).astype("datetime64[D]").astype("datetime64[ns]"),
            "sales_agent": owners[rng.integers(0, len(owners), len(ids))],
        }
    )


def time_one(records: object, learned: object, rows: pd.DataFrame, times: int = 300) -> dict[str, float]:
    """Ask for one deal at a time, of the index of all; the arithmetic alone, and with its frame."""
    single = [rows.iloc[[place]] for place in np.linspace(0, len(rows) - 1, times).astype(int)]
    found = {}
    for name, ask in {"one_deal_arithmetic_ms": compute_features, "one_deal_frame_ms": state_features}.items():
        ask(records, learned, single[0])
        start = time.process_time()
        for row in single:
            ask(records, learned, row)
        found[name] = 1000 * (time.process_time() - start) / times
    return found


def measure(deals: int, dates: int) -> dict[str, float]:
    """Make the company, then measure index, learning, states and features of all rows, as-of date by as-of date."""
    changes, known_since, table = make_company(deals)
    found = {"deals": deals, "changes": len(changes), "as_of_dates": dates, "tables_peak_mib": peak_mib()}
    before = spent()
    records = index_records(changes, known_since, None, table, WORDS)
    learned = learn_states(records, FIRST + DAYS * 1440, WORDS)
    indexed = spent()
    days = pd.date_range("2021-03-01", periods=dates, freq="ME")
    rows = list_open(find_spells(records.histories, WORDS), list(days)).merge(table, on="opportunity_id", how="left")
    held = 0
    for _, part in rows.groupby("as_of", sort=True):
        held += int(look_up_states(records.histories, part)["stage_is_known"].sum())
        held -= int(np.isfinite(state_features(records, learned, part)["stage_days"]).sum())
    after = spent()
    assert held == 0, "every row has a known stage, and its days in it"
    found |= {"rows": len(rows), "peak_mib": peak_mib()}
    found |= {f"index_{name}": indexed[name] - before[name] for name in before}
    found |= {f"all_{name}": after[name] - before[name] for name in before}
    return found | time_one(records, learned, rows)


if __name__ == "__main__":
    if sys.argv[1] == "one":
        print(json.dumps(measure(int(sys.argv[2]), int(sys.argv[3]))))
    else:
        run = subprocess.run(
            [sys.executable, __file__, "one", *sys.argv[1:3]], check=True, capture_output=True, text=True
        )
        write_json(json.loads(run.stdout), Path(__file__).with_name("states.json"), digits=2)
