"""Whether the scoring service gives every open deal of a project its published score, and its published reasons.

Run as `python benchmarks/measure_service_equality.py PROJECT [EVERY]`: PROJECT holds a published bundle in use, reasons are
compared for every EVERY-th deal (20). Writes benchmarks/service_equality_SOURCE.json.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from crm_lib.access.users import LOCAL
from crm_lib.base.horizons import win_column
from crm_lib.service.published import Published, read_bundle, score_asked
from crm_lib.service.schemas import Opportunity
from crm_lib.tests.support.running import read_table

RESULTS = Path(__file__).parent


def compare_scores(published: Published, rows: pd.DataFrame) -> dict[str, float]:
    """Give the largest differences between the scores asked for and those published, and how long one took."""
    day = published.context.as_of.date()
    asked = [Opportunity(opportunity_id=key, as_of=day) for key in rows.index]
    started = time.process_time()
    found, refused = score_asked(published, LOCAL, asked, 0, 0)
    seconds = time.process_time() - started
    told = {
        str(name): np.array([score.probabilities[str(name)] for score in found if score])
        for name in published.context.horizons
    }
    apart = [np.abs(told[str(name)] - rows[win_column(name)]).max() for name in published.context.horizons]
    value = np.array([score.value_if_won for score in found if score])
    return {
        "deals": len(asked),
        "refused": len(refused),
        "largest_difference_of_a_chance": float(max(apart)),
        "largest_difference_of_a_value_in_parts": float(np.abs(value / rows["value_if_won"] - 1).max()),
        "other_grades": int((np.array([score.grade for score in found if score]) != rows["grade"]).sum()),
        "cpu_ms_a_deal": round(1000 * seconds / len(asked), 2),
    }


def compare_reasons(published: Published, reasons: pd.DataFrame, every: int) -> dict[str, float]:
    """Give the largest difference of a contribution, and how many deals have other words."""
    day = published.context.as_of.date()
    keys = list(reasons.index.unique()[::every])
    asked = [Opportunity(opportunity_id=key, as_of=day) for key in keys]
    found, _ = score_asked(published, LOCAL, asked, 100, 0)
    apart, others = 0.0, 0
    for key, score in zip(keys, found):
        rows = reasons.loc[[key]].set_index("feature")
        told = {reason.feature: reason for reason in score.reasons}
        apart = max(apart, *(abs(told[name].contribution - size) for name, size in rows["contribution"].items()))
        others += {reason.words for reason in told.values()} != set(rows["words"])
    return {
        "deals_explained": len(keys),
        "largest_difference_of_a_contribution": apart,
        "deals_with_other_words": others,
    }


def main() -> None:
    """Compare and write."""
    project = Path(sys.argv[1])
    published = read_bundle(project)
    every = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    result = compare_scores(published, read_table(project, "scores"))
    result |= compare_reasons(published, read_table(project, "reasons"), every)
    result |= {"source": published.facts.source, "model": published.facts.model}
    result |= {"histories": published.context.past is not None}
    text = json.dumps(result, indent=2, sort_keys=True)
    (RESULTS / f"service_equality_{published.facts.source}.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
