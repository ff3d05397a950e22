"""Hold the state-hazard model against the matrix power of a true Markov chain of stages; writes markov.json beside itself.

Run it from the top of the project: `python benchmarks/measure_markov.py 3000 12000` (deals per company, one or several).
The company is `stages` of the gallery: what becomes of a deal depends on its stage alone, and the chance of a win within h
days is an entry of the h-th power of the chain of one day. The model is not told so: it reads stage, days in it, age,
calendar and whatever else the project has. Per stage and horizon: mean of what it says of the deals open at the last
origin, the true chance, and the distance in standard errors, sqrt(p (1 - p) / deals): those of a share that is counted
among as many deals as stood in the stage with a follow-up of that length. `distance`: root mean square over single deals.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from measure_state_models import CALENDAR, SEEDS, simulate

from crm_lib.base.calendar import as_days
from crm_lib.base.files import write_json
from crm_lib.models.close_hazard import make_model
from crm_lib.models.state_hazard import StateHazardModel
from crm_lib.simulation.company import Company, find_spells
from crm_lib.simulation.stage_chain import CHAIN_WORDS, RATES, chain_chances

HORIZONS = (7, 14, 30, 60, 90)


def stages_of(company: Company, rows: pd.DataFrame) -> np.ndarray:
    "The true stage of each deal at the end of its as-of date."
    deal = find_spells(company, rows["opportunity_id"].to_numpy(), rows["as_of"])
    return company.law.stage_on(deal, company.day_number(rows["as_of"]))


def compare(seed: int, n_deals: int) -> pd.DataFrame:
    "One row per stage and horizon of a company: said, true, deals that teach it, deals asked."
    world = simulate("stages", seed, n_deals)
    company, origin = world.truth, world.origins[-1]
    X, y, test, _, true = world.stand(origin)
    base = make_model("cure_table", CALENDAR, world.edges, seed=0)
    said = StateHazardModel(base, CALENDAR).fit(X, y).predict_win(test, HORIZONS)
    learnt, asked = stages_of(company, X), stages_of(company, test)
    power = chain_chances(RATES, max(HORIZONS) + 1)
    assert np.allclose(true[30], power[30, asked]), "the company's truth is the matrix power"
    rows = []
    for horizon in HORIZONS:
        has_ended = as_days(X["as_of"]) + np.timedelta64(horizon, "D") <= origin
        for stage in range(len(RATES)):
            chance, is_asked = said[horizon].to_numpy()[asked == stage], asked == stage
            teach = X["opportunity_id"][has_ended & (learnt == stage)].nunique()
            cell = {"stage": CHAIN_WORDS[stage], "horizon": horizon, "said": chance.mean(), "teach": teach}
            cell |= {"true": power[horizon, stage], "asked": int(is_asked.sum())}
            rows.append(cell | {"squared": ((chance - power[horizon, stage]) ** 2).mean()})
    return pd.DataFrame(rows).assign(seed=seed)


def summarise(found: pd.DataFrame) -> dict:
    "Errors of every stage, horizon and seed, and the figures by stage and horizon."
    error = np.sqrt(found["true"] * (1 - found["true"]) / found["teach"])
    found = found.assign(errors=(found["said"] - found["true"]) / error, gap=(found["said"] - found["true"]).abs())
    by = found.groupby(["horizon", "stage"], sort=False)
    table = by[["said", "true", "gap", "teach", "asked"]].mean()
    table["errors"] = by["errors"].apply(lambda part: part.tolist())
    table["distance"] = np.sqrt(by["squared"].mean())
    cells = {str(h): table.loc[h].to_dict("index") for h in HORIZONS}
    mean = found["errors"]
    whole = {"errors_rms": (mean**2).mean() ** 0.5, "errors_mean": mean.mean(), "errors_most": mean.abs().max()}
    return whole | {"gap_mean": found["gap"].mean(), "gap_most": found["gap"].max(), "horizons": cells}


if __name__ == "__main__":
    sizes = [int(size) for size in sys.argv[1:]] or [3000]
    result = {}
    for n_deals in sizes:
        result[str(n_deals)] = summarise(pd.concat([compare(seed, n_deals) for seed in SEEDS], ignore_index=True))
        print(n_deals, {name: value for name, value in result[str(n_deals)].items() if name != "horizons"})
        print(pd.DataFrame(result[str(n_deals)]["horizons"]["60"]))
    write_json({"seeds": list(SEEDS), "deals": result}, Path(__file__).with_name("markov.json"), digits=5)
