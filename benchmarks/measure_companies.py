"""Hold the exact chances of the simulated companies against what came; writes companies.json beside itself.

Run it from the top of the project: `python benchmarks/measure_companies.py 20000` (deals per company). For each company,
as-of date and horizon: the number of open deals, the mean of the true chance, the share that was won, how many standard
errors the two are apart, the largest distance among ten groups of the chance, and the Brier scores of the truth and of
the base rate. Every number is made from seeds, so that another run gives the same.
"""

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from crm_lib.base.files import write_json
from crm_lib.simulation.chronicle import simulate_journeys
from crm_lib.simulation.company import Company, miscalibration, perfect_forecast
from crm_lib.simulation.gallery import COMPANIES, make_company
from crm_lib.simulation.journeys import Journeys

HORIZONS = (7, 30, 60, 90, "quarter_end")
PLACES = (0.25, 0.4, 0.55, 0.7, 0.85, 1.0)  # of the as-of dates in the history
SEEDS = (11, 12, 13)
HABITS = {
    "histories, all activities late": {"late_activities": 1.0},
    "histories, every lost deal comes back": {"reopened_share": 1.0},
    "histories, deletions": {"deleted_per_year": 0.5},
    "histories, three pipelines of five stages": {"n_pipelines": 3, "n_stages": 5},
    "histories, strong quarters of a February year": {"quarter_effect": 5.0, "fiscal_year_start": 2},
    "histories, no signal": {"signal": 0.0},
    "histories, half of the changes late (not exact)": {"late_changes": 0.5},
}


def make(name: str, seed: int, n_deals: int) -> Company:
    if name in COMPANIES:
        return make_company(name, seed, n_deals)
    return simulate_journeys(replace(Journeys(n_deals=n_deals), **HABITS[name]), seed)


def ask(name: str, n_deals: int) -> pd.DataFrame:
    "All chances and outcomes of a company, over seeds and as-of dates."
    parts = []
    for seed in SEEDS:
        company = make(name, seed, n_deals)
        for place in PLACES:
            day = company.start + pd.Timedelta(days=round(place * (company.days - 1)))
            parts.append(perfect_forecast(company, day, HORIZONS).assign(seed=seed, place=place))
    return pd.concat(parts, ignore_index=True)


def judge(forecast: pd.DataFrame) -> dict[str, float]:
    "Figures of one horizon; dates and seeds are judged apart, since a deal stands on several dates."
    apart = [
        {"all": miscalibration(rows, 1)["errors"].iloc[0], "tenth": miscalibration(rows)["errors"].abs().max()}
        for _, rows in forecast.groupby(["seed", "place"])
        if len(rows) >= 100
    ]
    errors = pd.DataFrame(apart, columns=["all", "tenth"])
    rate = forecast["is_won"].mean()
    return {
        "n": len(forecast),
        "probability": forecast["probability"].mean(),
        "won": rate,
        "dates": len(errors),
        "errors_rms": (errors["all"] ** 2).mean() ** 0.5,
        "errors_mean": errors["all"].mean(),
        "errors_most": errors["all"].abs().max(),
        "errors_most_tenth": errors["tenth"].max(),
        "brier": ((forecast["probability"] - forecast["is_won"]) ** 2).mean(),
        "brier_base_rate": rate * (1 - rate),
    }


if __name__ == "__main__":
    deals = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    found = {}
    for company in [*COMPANIES, *HABITS]:
        asked = ask(company, deals)
        found[company] = {horizon: judge(rows) for horizon, rows in asked.groupby("horizon", sort=False)}
        print(company, {key: round(float(value["errors_rms"]), 2) for key, value in found[company].items()}, flush=True)
    result = {"deals": deals, "seeds": list(SEEDS), "places": list(PLACES), "companies": found}
    write_json(result, Path(__file__).with_name("companies.json"), digits=5)
