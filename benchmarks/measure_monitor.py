"""How often the monitor calls without a reason, and how soon it sees what is planted.

Run as `python benchmarks/measure_monitor.py [-o RESULT] [--years 200] [--worlds 50]`. Companies are simulated whose true
chances are known (`crm_lib.simulation`), so that an honest model is at hand and nothing is fitted. Control: each year is asked
52 times, as a timer would ask. Outcomes: the deals follow another law from a day on, the chances stay those of the old one.
Inputs: one import is changed in one way, and the finding must have that name and no other.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from crm_lib.base.calendar import FiscalCalendar, as_days, horizon_end
from crm_lib.base.horizons import win_column
from crm_lib.base.sections import Monitor
from crm_lib.features.snapshots import is_open, known_at
from crm_lib.monitoring.findings import LEVELS
from crm_lib.monitoring.import_difference import find_import_faults, swap_day_month
from crm_lib.monitoring.judge import Watched, find_outcomes, gather_steps, judge_monitor
from crm_lib.monitoring.new_deals import find_shifts

HERE = Path(__file__).resolve().parent
CALENDAR = FiscalCalendar(1)
START, DAYS, A_DAY = pd.Timestamp("2023-01-01"), 1140, 8.0
WEEK = pd.Timedelta(days=7)


class Law:
    """Daily chance of closing by age and month of the quarter, and of winning, by kind of deal: what is true of a company."""

    def __init__(self, rng: np.random.Generator, pace: float = 1.0, win: float = 1.0) -> None:
        self.mean = rng.uniform(25, 60) / pace
        self.push = rng.uniform(1.0, 2.5)  # of closings in the last month of a quarter
        self.win = np.clip(rng.uniform(0.35, 0.65) * np.array([0.8, 1.0, 1.2]) * win, 0.02, 0.95)
        self.dead = rng.uniform(0, 0.25)

    def hazard(self, day: np.ndarray) -> np.ndarray:
        """Chance that a live deal closes on a day."""
        month = CALENDAR.month_of_quarter(day)
        return np.where(month == 2, self.push, 1.0) / self.mean


def changed(law: Law, pace: float, win: float) -> Law:
    """The same company with other cycles and another win rate."""
    other = object.__new__(Law)
    other.mean, other.push, other.dead = law.mean / pace, law.push, law.dead
    other.win = np.clip(law.win * win, 0.02, 0.95)
    return other


def simulate(rng: np.random.Generator, law: Law, other: Law | None = None, day: int = 0) -> pd.DataFrame:
    """Deals of a company, whose law is another one from a day on."""
    n = rng.poisson(A_DAY * DAYS)
    opened = np.sort(rng.integers(0, DAYS, n))
    kind = rng.integers(0, 3, n)
    is_dead = rng.random(n) < law.dead
    days = as_days(START) + np.arange(DAYS + 1)
    hazards = law.hazard(days)
    if other is not None:
        hazards = np.where(np.arange(DAYS + 1) >= day, other.hazard(days), hazards)
    total = np.concatenate([[0.0], np.cumsum(-np.log1p(-hazards))])
    goal = total[opened + 1] + rng.exponential(1.0, n)
    closes = np.searchsorted(total, goal, side="left") - 1
    is_closed = (closes <= DAYS) & ~is_dead & (goal <= total[-1])
    win = law.win[kind] if other is None else np.where(closes >= day, other.win[kind], law.win[kind])
    won = is_closed & (rng.random(n) < win)
    names = {"sales_agent": 12, "product": 6, "sector": 5}
    texts = {
        name: np.array([f"{name} {k}" for k in range(k_of)])[rng.choice(k_of, n, p=rng.dirichlet(np.full(k_of, 8.0)))]
        for name, k_of in names.items()
    }
    agent = np.char.replace(texts["sales_agent"].astype(str), "sales_agent ", "").astype(int)
    price = np.array([50.0, 120.0, 400.0, 900.0, 1500.0, 4000.0])[
        np.char.replace(texts["product"].astype(str), "product ", "").astype(int)
    ]
    close = np.where(is_closed, closes, 0)
    return pd.DataFrame(
        {
            "opportunity_id": np.char.add("d", np.arange(n).astype(str)).astype(object),
            **{name: text.astype(object) for name, text in texts.items()},
            "regional_office": np.array(["East", "West", "South"], dtype=object)[agent % 3],
            "list_price": price,
            "x_lead": np.array(["web", "fair", "call"], dtype=object)[rng.integers(0, 3, n)],
            "crm_stage": np.where(
                is_closed, np.where(won, "Won", "Lost"), np.where(rng.random(n) < 0.4, "Proposal", "Discovery")
            ).astype(object),
            "engage_date": START + pd.to_timedelta(opened, "D"),
            "close_date": (START + pd.to_timedelta(close, "D")).where(is_closed),
            "stage": np.where(is_closed, np.where(won, "won", "lost"), "engaging").astype(object),
            "_kind": kind,
        }
    )


def chances(deals: pd.DataFrame, law: Law, days: pd.DatetimeIndex, skew: float = 0.0) -> pd.DataFrame:
    """What an honest model of the law would have published every week, dead deals and all."""
    parts = []
    for day in days:
        open_then = deals[is_open(deals, day)]
        end = horizon_end(as_days(day), "quarter_end", CALENDAR)
        ahead = as_days(day) + np.arange(1, int((end - as_days(day)).astype("int64")) + 1)
        closes = 1 - np.prod(1 - law.hazard(ahead))
        lived = as_days(open_then["engage_date"])
        past = as_days(START) + np.arange(DAYS + 1)
        total = np.concatenate([[0.0], np.cumsum(-np.log1p(-law.hazard(past)))])
        place = (lived - as_days(START)).astype("int64")
        silent = np.exp(-(total[int((as_days(day) - as_days(START)).astype("int64")) + 1] - total[place + 1]))
        alive = (1 - law.dead) * silent / ((1 - law.dead) * silent + law.dead)
        p = alive * closes * law.win[open_then["_kind"].to_numpy()]
        parts.append(
            pd.DataFrame(
                {"as_of": day, "opportunity_id": open_then["opportunity_id"].to_numpy(), win_column("quarter_end"): p}
            )
        )
    return pd.concat(parts, ignore_index=True)


def watch(
    deals: pd.DataFrame, past: pd.DataFrame | None, day: pd.Timestamp, before: pd.DataFrame | None = None
) -> Watched:
    """What the monitor would look at on a day."""
    known = known_at(deals, day, ("close_date", "close_value", "crm_stage"))
    said = None if past is None else past[past["as_of"] <= day]
    return Watched(known, deals["close_date"].min(), day, CALENDAR, said, before=before, then=day - WEEK)


def ask_year(rules: Monitor, year: int) -> tuple[list[int], Counter]:
    """Ask a year without change every week: the level of each week, and what called."""
    rng = np.random.default_rng([7, year])
    law = Law(rng)
    deals = simulate(rng, law)
    days = pd.date_range(START + pd.Timedelta(days=390), periods=104, freq="7D")
    past = chances(deals, law, days)
    whole = gather_steps(watch(deals, past, days[-1]))  # what is expected of a week depends on earlier weeks alone
    levels, kinds = [], Counter()
    for day in days[52:]:
        now = watch(deals, None, day)
        found = find_outcomes(
            {name: steps[steps["later"] <= day].reset_index(drop=True) for name, steps in whole.items()}, rules
        )
        found += find_shifts(now.deals, now.first, day, rules)[0]
        if day.day <= 7:  # nothing in it is left to chance
            before = known_at(deals, day - WEEK, ("close_date", "close_value"))
            found += find_import_faults(before, known_at(deals, day, ("close_date", "close_value")), day - WEEK, day)
        levels.append(max((LEVELS.index(one.level) for one in found), default=0))
        kinds.update(
            f"{one.kind} {one.numbers.get('column', '')}".strip() for one in found if one.level in ("medium", "high")
        )
    return levels, kinds


def sum_up(years: list[list[int]], kinds: Counter) -> dict[str, Any]:
    """Count weeks and spells (weeks in a row count once) of each level, a year."""
    at = {name: np.array(years) >= LEVELS.index(name) for name in ("medium", "high")}
    begun = {name: (part & ~np.pad(part, ((0, 0), (1, 0)))[:, :-1]).sum() for name, part in at.items()}
    return {
        "years": len(years),
        "spells_per_year": {name: float(n / len(years)) for name, n in begun.items()},
        "weeks_per_year": {name: float(part.sum() / len(years)) for name, part in at.items()},
        "weeks_by_kind": dict(kinds.most_common()),
    }


SHIFTS = {"win rate halved": (1.0, 0.5), "cycles twice as long": (0.5, 1.0), "regime change": (0.65, 0.65)}


def find_outcome(rules: Monitor, worlds: int, pace: float, win: float) -> dict[str, Any]:
    """Count expected wins from a planted change until the level is medium."""
    needed, kinds = [], Counter()
    for world in range(worlds):
        rng = np.random.default_rng([11, world])
        law = Law(rng)
        turn = 760 + int(rng.integers(0, 60))
        deals = simulate(rng, law, changed(law, pace, win), turn)
        when = START + pd.Timedelta(days=turn)
        days = pd.date_range(when - pd.Timedelta(days=364), periods=90, freq="7D")
        past = chances(deals, law, days)
        steps = None
        answer = None
        for day in days[53:]:
            tables = gather_steps(watch(deals, past, day))
            found, steps = find_outcomes(tables, rules), tables["wins"]
            since = steps[steps["later"] > when]["expected"].sum()
            hits = [one.kind for one in found if one.level in ("medium", "high")]
            if hits:
                answer = float(since)
                kinds.update(hits[:1])
                break
            if since > 150:
                break
        needed.append(answer)
    known = [one for one in needed if one is not None]
    share = sum(one <= 60 for one in known) / worlds
    return {
        "found_within_60": share,
        "median_expected_wins": float(np.median(known)) if known else None,
        "never": worlds - len(known),
        "first_kind": dict(kinds),
    }


def plant(kind: str, before: pd.DataFrame, now: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Change an import in one way."""
    is_new = (~now["opportunity_id"].isin(before["opportunity_id"])).to_numpy()
    recent = (now["engage_date"] > now["engage_date"].max() - pd.Timedelta(days=28)).to_numpy()
    drawn = rng.random(len(now))
    if kind == "sector mix":
        return now.assign(
            sector=now["sector"].where(
                ~((now["close_date"] > now["close_date"].max() - pd.Timedelta(days=28)) & (drawn < 0.5)), "sector 0"
            )
        )
    if kind == "price rise":
        return now.assign(list_price=now["list_price"] * np.where(recent, 1.15, 1.0))
    if kind == "price list":
        return now.assign(list_price=now["list_price"] * 1.1)
    if kind == "new region":
        chosen = recent & (drawn < 0.15)
        return now.assign(
            regional_office=now["regional_office"].where(~chosen, "North"),
            sales_agent=now["sales_agent"].where(~chosen, "agent of North"),
        )
    if kind == "date format":
        return now.assign(engage_date=swap_day_month(now["engage_date"]).fillna(now["engage_date"]))
    if kind == "date format of new rows":
        return now.assign(
            engage_date=now["engage_date"].where(~is_new, swap_day_month(now["engage_date"]).fillna(now["engage_date"]))
        )
    if kind == "agents renamed":
        return now.assign(sales_agent=now["sales_agent"].str.upper())
    if kind == "stage renamed":
        return now.assign(crm_stage=now["crm_stage"].replace("Proposal", "Quote"))
    return now.sample(frac=0.66, random_state=int(drawn[0] * 1e6)).sort_index()


WANTED = {
    "sector mix": "mix", "price rise": "prices_changed", "price list": "prices_changed", "new region": "new_category",
    "date format": "date_format", "date format of new rows": "date_format", "agents renamed": "agents_renamed",
    "stage renamed": "stage_renamed", "import lost a third": "rows_lost",
}  # fmt: skip


def find_input(rules: Monitor, worlds: int, kind: str) -> dict[str, Any]:
    """Plant a change into one import, and see whether it is named, and alone."""
    named, alone, others = 0, 0, Counter()
    for world in range(worlds):
        rng = np.random.default_rng([13, world])
        law = Law(rng)
        deals = simulate(rng, law)
        day = START + pd.Timedelta(days=905 + int(rng.integers(0, 40)))
        day = (
            day.replace(day=12) if kind == "date format of new rows" else day
        )  # of later days nothing can be exchanged
        before, now = (known_at(deals, on, ("close_date", "close_value")) for on in (day - WEEK, day))
        shown = plant(kind, before, now, rng)
        found, _ = judge_monitor(
            Watched(shown, deals["close_date"].min(), day, CALENDAR, None, before=before, then=day - WEEK), rules
        )
        kinds = {one.kind for one in found if one.level in ("medium", "high")}
        named += WANTED[kind] in kinds
        alone += kinds == {WANTED[kind]}
        others.update(kinds - {WANTED[kind]})
    return {"named": named / worlds, "alone": alone / worlds, "others": dict(others)}


def main() -> None:
    """Measure, and write the result file."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("-o", type=Path, default=HERE / "monitor.json")
    asked.add_argument("--years", type=int, default=200)
    asked.add_argument("--worlds", type=int, default=50)
    given = asked.parse_args()
    rules = Monitor(**yaml.safe_load((HERE.parent / "params.yaml").read_text(encoding="utf-8"))["monitor"])
    result: dict[str, Any] = {"rules": rules.model_dump(), "worlds": given.worlds, "outcomes": {}, "inputs": {}}

    def keep() -> None:
        given.o.write_text(json.dumps(result, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    for name, (pace, win) in SHIFTS.items() if given.worlds else ():
        result["outcomes"][name] = find_outcome(rules, given.worlds, pace, win)
        keep()
    for name in WANTED if given.worlds else ():
        result["inputs"][name] = find_input(rules, given.worlds, name)
        keep()
    years, kinds = [], Counter()
    for year in range(given.years):
        levels, called = ask_year(rules, year)
        years.append(levels)
        kinds.update(called)
        result["control"] = sum_up(years, kinds)
        keep()
    print(json.dumps(result, indent=2, sort_keys=True))


if __name__ == "__main__":
    main()
