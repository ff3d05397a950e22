"""Hold models against the matrix power of a true Markov chain of stages; writes markov.json beside itself.

Run it from the top of the project: `python benchmarks/measure_markov.py 3000 12000` (deals per company, one or several).
The company is `stages` of the gallery: what becomes of a deal depends on its stage alone, and the chance of a win within h
days is an entry of the h-th power of the chain of one day. The model is not told so: it reads stage, days in it, age,
calendar and whatever else the project has. Beside it: the plain classifiers, and `stage_rate`, the share that was counted
among earlier landmarks of the stage. Per stage and horizon: mean of what is said of the deals open at the last origin, the
true chance, and the distance in standard errors, sqrt(p (1 - p) / deals): those of a share that is counted among as many
deals as stood in the stage with a follow-up of that length. `distance`: root mean square over single deals.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from measure_state_models import CALENDAR, SEEDS, simulate

from crm_lib.base.calendar import as_days
from crm_lib.base.files import write_json
from crm_lib.models.close_hazard import make_model
from crm_lib.models.stacked import CLASSIFIERS
from crm_lib.models.state_hazard import StateHazardModel
from crm_lib.simulation.company import Company, find_open_spells
from crm_lib.simulation.stage_chain import CHAIN_WORDS, RATES, chain_chances

HORIZONS = (7, 14, 30, 60, 90)


def stages_of(company: Company, rows: pd.DataFrame) -> np.ndarray:
    "The true stage of each deal at the end of its as-of date."
    deal = find_open_spells(company, rows["opportunity_id"].to_numpy(), rows["as_of"])
    return company.law.stage_on(deal, company.day_number(rows["as_of"]))


def compare(seed: int, n_deals: int) -> pd.DataFrame:
    "One row per stage and horizon of a company: said, true, deals that teach it, deals asked."
    world = simulate("stages", seed, n_deals)
    company, origin = world.truth, world.origins[-1]
    X, y, test, _, true = world.stand(origin)
    base = make_model("cure_table", CALENDAR, world.edges, seed=0)
    models = {
        "states": StateHazardModel(base, CALENDAR),
        **{name: make(CALENDAR) for name, make in CLASSIFIERS.items()},
    }
    said = {name: model.fit(X, y).predict_win(test, HORIZONS) for name, model in models.items()}
    learnt, asked = stages_of(company, X), stages_of(company, test)
    power = chain_chances(RATES, max(HORIZONS) + 1)
    assert np.allclose(true[30], power[30, asked]), "the company's truth is the matrix power"
    rows = []
    for horizon in HORIZONS:
        has_ended = as_days(X["as_of"]) + np.timedelta64(horizon, "D") <= origin
        for stage in range(len(RATES)):
            is_asked, truth = asked == stage, power[horizon, stage]
            teach = X["opportunity_id"][has_ended & (learnt == stage)].nunique()
            cell = {"stage": CHAIN_WORDS[stage], "horizon": horizon, "teach": teach, "true": truth}
            for name, chances in said.items():
                chance = chances[horizon].to_numpy()[is_asked]
                figures = {
                    "said": chance.mean(),
                    "squared": ((chance - truth) ** 2).mean(),
                    "asked": int(is_asked.sum()),
                }
                rows.append(cell | {"model": name} | figures)
    return pd.DataFrame(rows).assign(seed=seed)


def summarise(found: pd.DataFrame) -> dict:
    "Figures of a model over all stages, horizons and seeds, and by stage and horizon."
    error = np.sqrt(found["true"] * (1 - found["true"]) / found["teach"])
    gap = found["said"] - found["true"]
    found = found.assign(errors=gap / error, gap=gap.abs())
    by = found.groupby(["horizon", "stage"], sort=False)
    table = by[["said", "true", "gap", "teach", "asked"]].mean()
    table["errors"] = by["errors"].apply(lambda part: part.tolist())
    table["distance"] = np.sqrt(by["squared"].mean())
    cells = {str(h): table.loc[h].to_dict("index") for h in HORIZONS}
    whole = {"errors_rms": (found["errors"] ** 2).mean() ** 0.5, "errors_most": found["errors"].abs().max()}
    whole |= {"gap_mean": found["gap"].mean(), "gap_most": found["gap"].max(), "drift": gap.mean()}
    return whole | {"distance": np.sqrt(found["squared"].mean()), "horizons": cells}


if __name__ == "__main__":
    sizes = [int(size) for size in sys.argv[1:]] or [3000]
    result = {}
    for n_deals in sizes:
        found = pd.concat([compare(seed, n_deals) for seed in SEEDS], ignore_index=True)
        result[str(n_deals)] = {name: summarise(part) for name, part in found.groupby("model", sort=False)}
        kept = ("errors_rms", "errors_most", "gap_mean", "gap_most", "drift", "distance")
        print(
            n_deals,
            pd.DataFrame({name: {key: part[key] for key in kept} for name, part in result[str(n_deals)].items()}),
        )
    write_json({"seeds": list(SEEDS), "deals": result}, Path(__file__).with_name("markov.json"), digits=5)
