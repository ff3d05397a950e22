"""The model of a published bundle as an MLflow pyfunc that takes raw opportunities: what the service is measured against.

Logged and served by `python benchmarks/measure_service.py PROJECT`. It builds the same features with the functions of the
library that the pipeline uses (`way: tables`), or asks the service's own scorer behind MLflow's server (`way: scorer`).
"""

import json
from dataclasses import replace
from typing import Any

import mlflow.pyfunc
import pandas as pd
from mlflow.models import set_model

from crm_lib.access.users import LOCAL
from crm_lib.scoring.context import Context, know_day, score_snapshots
from crm_lib.scoring.looks import Asked, find_past
from crm_lib.scoring.open_value import open_values
from crm_lib.scoring.opportunity import look_at
from crm_lib.service.bodies import read_asked
from crm_lib.service.entries import make_entry
from crm_lib.service.published import read_bundle, score_asked
from crm_lib.service.schemas import Opportunity


def with_past(context: Context, asked: Asked) -> Context:
    "Give the context in which the records of an opportunity are those that were sent."
    return replace(context, past=find_past(context, asked))


class Scores(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Raw opportunities in, chances, value and grade out."""

    def load_context(self, context: Any) -> None:
        """Open the bundle."""
        self.published = read_bundle(context.model_config["project"])
        self.way = context.model_config["way"]

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        """Score the rows; each is an opportunity as the service takes it."""
        sent = [
            {name: value for name, value in row.items() if value is not None} for row in model_input.to_dict("records")
        ]
        asked = [read_asked(json.dumps(row).encode(), Opportunity) for row in sent]
        if self.way == "scorer":
            return [
                score.model_dump(mode="json") for score in score_asked(self.published, LOCAL, asked, 0, 365)[0] if score
            ]
        return self._score_tables(asked)

    def _score_tables(self, asked: list[Opportunity]) -> Any:
        context = self.published.for_viewer(LOCAL)
        entries = [make_entry(context, one, pd.Timestamp(one.as_of)) for one in asked]
        looks = pd.concat(
            [
                look_at(with_past(context, entry.look), entry.opportunity, entry.as_of).assign(opportunity_id=place)
                for place, entry in enumerate(entries)
            ],
            ignore_index=True,
        )
        known = know_day(context, context.as_of)
        sent = pd.Series([entry.opportunity.value for entry in entries], dtype=float)
        values = sent.fillna(looks["opportunity_id"].map(open_values(known.known, looks, known.rule)))
        scores = score_snapshots(context, looks, values)
        return json.loads(scores.drop(columns="opportunity_id").to_json(orient="records", date_format="iso"))


set_model(Scores())
