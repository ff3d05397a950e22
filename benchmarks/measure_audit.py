"""Measure which hindsight each leak detector finds, and how often it blames an honest column; writes audit.json beside itself.

Run it from the top of the project: `python benchmarks/measure_audit.py --seeds 4`. It takes some minutes. Companies of nine
shapes and simulated ones are drawn; real data are asked where the folder `shared/data` lies beside the checkout, and only counts are
kept of them. A column is caught when its verdict is late or in doubt, or when one of the older detectors speaks of it.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from crm_lib.base.files import write_json
from crm_lib.base.schema import late_columns
from crm_lib.ingestion.deals import build_deals
from crm_lib.ingestion.formats import RawTable
from crm_lib.ingestion.mapping import map_tables
from crm_lib.leakage.detectors import detect_closed, detect_copies, detect_gaps, detect_wins
from crm_lib.leakage.hindsight import DOUBT, FIXED, LATE, detect_hindsight
from crm_lib.leakage.totals import detect_totals
from crm_lib.leakage.verdicts import judge_stored, list_stored
from crm_lib.simulation.simulate import World, simulate_crm
from crm_lib.tests.support.shapes import PLANTS, SHAPES, plant, shaped

HERE = Path(__file__).resolve()
PLACES = [folder / "shared" / "data" for folder in HERE.parents]
STAGES = {"Prospecting": "prospecting", "Engaging": "engaging", "Won": "won", "Lost": "lost"}
SIMULATED = {
    "skill": {"agent_skill": 1.0, "product_skill": 1.0},
    "no quarters": {"quarter_effect": 0.0},
    "few, stale, and changed": {"n_deals": 800, "stale_share": 0.9, "regime_change": "2024-10-01"},
}
OLDER = {
    "closed from open": detect_closed,
    "gap": detect_gaps,
    "won from lost": detect_wins,
    "copy of an outcome": detect_copies,
    "total over all data": detect_totals,
}
LOANS = ("loan_applications_2012/deals.csv",)
LOANS += ({"opportunity_id": "Deal ID", "sales_agent": "Owner", "engage_date": "Created Date", "deal_stage": "Stage"},)
LOANS += ({"Approved": "won", "Cancelled": "lost", "Declined": "lost"},)
FIELD = ("field_cases/product_filled_late/report.csv",)
FIELD += (
    {
        "opportunity_id": "Opportunity ID",
        "sales_agent": "Opportunity Owner",
        "account": "Account Name",
        "product": "Product Name",
        "sector": "Industry",
        "engage_date": "Created Date",
        "deal_stage": "Stage",
        "expected_close_date": "Close Date",
    },
)
FIELD += ({"Closed Won": "won", "Closed Lost": "lost"},)


def read_text(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype=str)
    return frame.astype(object).where(frame.notna(), None)


def read_export(folder: Path, name: str, columns: dict[str, str], stages: dict[str, str]) -> pd.DataFrame:
    "Read one wide table; every stage that is neither won nor lost is open."
    frame = read_text(folder / name)
    words = {word: stages.get(word, "engaging") for word in frame["Stage"].dropna().unique()}
    named = {"amount": "Amount", "close_date": "Close Date", **columns}
    return build_deals(map_tables([RawTable("sales_pipeline", frame, name, "csv")], named), words).deals


def simulated(seed: int, **habits: object) -> pd.DataFrame:
    return build_deals(simulate_crm(World(**habits), seed=seed), STAGES).deals


def list_companies(seeds: int) -> Iterator[tuple[str, int, pd.DataFrame]]:
    "Draw or read every company: its name, its seed, its deals."
    for seed in range(seeds):
        for shape in SHAPES:
            yield shape, seed, shaped(shape, (4000, 1500, 8000, 2500)[seed % 4], seed)
        for name, habits in SIMULATED.items():
            yield f"simulated: {name}", seed, simulated(4 + seed, **{"n_deals": 1500, **habits})
    sample = yaml.safe_load((HERE.parents[1] / "params.yaml").read_text(encoding="utf-8"))["source"]["sample"]
    yield "the sample", 0, simulated(sample["seed"], n_deals=sample["deals"])
    folder = next((place for place in PLACES if place.is_dir()), None)
    if folder is not None:
        tables = {path.stem: read_text(path) for path in (folder / "crm_sales_opportunities").glob("*.csv")}
        tables.pop("data_dictionary", None)
        yield "public data", 0, build_deals(tables, STAGES).deals
        yield "loan applications", 0, read_export(folder, *LOANS)
        yield "field case: product filled late", 0, read_export(folder, *FIELD)


def ask(deals: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    "Ask columns of the verdict and of every detector: column, detector, says."
    verdicts = judge_stored(deals, columns).assign(detector="verdict")
    hindsight = detect_hindsight(deals, columns).assign(detector="hindsight")
    rows = [
        part[["column", "detector", "verdict"]].rename(columns={"verdict": "says"}) for part in (verdicts, hindsight)
    ]
    for name, detect in OLDER.items():
        found = detect(deals, columns)
        says = np.where(found["is_leak"], "spoke", FIXED)
        rows.append(pd.DataFrame({"column": found["column"], "detector": name, "says": says}))
    return pd.concat(rows, ignore_index=True)


def count(found: pd.DataFrame, keys: list[str]) -> dict[str, dict[str, object]]:
    "Count, per key and detector, what was said."
    table = found.groupby([*keys, "detector"])["says"].agg(
        asked="size",
        late=lambda says: int((says == LATE).sum()),
        in_doubt=lambda says: int((says == DOUBT).sum()),
        spoke=lambda says: int((says != FIXED).sum()),
    )
    result: dict[str, dict[str, object]] = {}
    for (*key, detector), row in table.iterrows():
        numbers = (
            row.to_dict() if detector in ("verdict", "hindsight") else {"asked": row["asked"], "spoke": row["spoke"]}
        )
        result.setdefault(", ".join(map(str, key)), {})[detector] = numbers
    return result


def main(seeds: int) -> dict[str, object]:
    honest, planted = [], []
    for name, seed, deals in list_companies(seeds):
        print(name, seed, len(deals), flush=True)
        columns = [column for column in list_stored(deals) if column not in late_columns()]
        honest.append(ask(deals, columns).assign(company=name, seed=seed))
        for kind, column in PLANTS.items():
            planted.append(ask_plant(plant(deals, kind, seed), column).assign(company=name, plant=kind))
    honest, planted = pd.concat(honest, ignore_index=True), pd.concat(planted, ignore_index=True)
    is_blamed = (honest["detector"] == "verdict") & (honest["says"] != FIXED)
    missed = planted[(planted["detector"] == "hindsight") & (planted["says"] == FIXED)]
    return {
        "seeds": seeds,
        "honest": count(honest, ["company"]),
        "blamed": [f"{row.company}, {row.column}: {row.says}" for row in honest[is_blamed].itertuples()],
        "plants": count(planted, ["plant"]),
        "missed": missed.groupby(["plant", "company"]).size().rename("times").reset_index().to_dict("records"),
    }


def ask_plant(deals: pd.DataFrame, column: str) -> pd.DataFrame:
    "Ask of a planted column; one that the schema calls late is asked as if it did not."
    if column in late_columns():
        return ask(deals.rename(columns={column: "x_as_planted"}), ["x_as_planted"])
    return ask(deals, [column])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="companies drawn of each shape")
    write_json(main(parser.parse_args().seeds), HERE.with_name("audit.json"))
