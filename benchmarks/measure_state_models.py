"""Hold the state-hazard model against its alternatives; writes state_models.json beside itself.

Run it from the top of the project: `python benchmarks/measure_state_models.py FOLDER_OF_LOANS`, the folder with deals.csv,
stage_history.csv and activities.csv of the loan applications of 2012; without it only the simulated companies are measured.
Per world and horizon: Brier score, AUC, sum of the chances over wins, mean squared distance to the truth where it is known.
All models see the same rows; states are learned at each origin, and nothing later is looked at.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost as xgb
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from crm_lib.base.calendar import FiscalCalendar, as_days, horizon_end
from crm_lib.base.files import write_json
from crm_lib.features.features import FeatureSettings, build_features
from crm_lib.features.snapshots import follow_up, known_at, label_wins, spaced_dates
from crm_lib.features.state_features import index_records, learn_states, state_features
from crm_lib.models import state_hazard
from crm_lib.models.close_hazard import make_model
from crm_lib.models.incidence import IncidenceModel
from crm_lib.models.stacked_landmarks import code_columns, hold_out, lead_ends, learn_codes, state_columns
from crm_lib.models.state_hazard import StateHazardModel
from crm_lib.simulation.company import perfect_forecast
from crm_lib.simulation.gallery import make_company

CALENDAR = FiscalCalendar(1)
SEEDS = (1, 2, 3)
FLAT = {"regional_office": "all", "manager": "all", "series": "s", "close_value": np.nan}


class World:
    "Deals, their records, and the origins at which models are judged."

    def __init__(self, deals, records, stages, dates, origins, start, last, horizons, truth=None):
        self.deals, self.records, self.stages, self.truth = deals, records, stages, truth
        self.origins, self.start, self.last, self.horizons = as_days(origins), start, last, horizons
        settings = FeatureSettings(fiscal_year_start=1, cohort_by="regional_office", cohort_days=7, stale_quantile=0.9)
        self.rows = build_features(deals, np.union1d(as_days(dates), self.origins), start, settings)
        self.edges = settings.grid.edges

    def stand(self, origin):
        "Give X, y, the deals of the origin, whether they were won by each horizon, and the true chances."
        rows = self.rows[as_days(self.rows["as_of"]) <= origin].reset_index(drop=True)
        real = rows.assign(opportunity_id=rows["opportunity_id"].str.partition("#")[0])
        found = state_features(self.records, learn_states(self.records, origin, self.stages), real)
        rows = pd.concat([rows, found.drop(columns=["as_of", "opportunity_id"])], axis=1)
        is_test = as_days(rows["as_of"]) == origin
        X, test = rows[~is_test].reset_index(drop=True), rows[is_test].reset_index(drop=True)
        y = follow_up(X, known_at(self.deals, origin), origin)
        if self.truth is None:
            won = {h: label_wins(test, self.deals, h, self.last, CALENDAR).to_numpy() for h in self.horizons}
            return X, y, test, won, None
        told = perfect_forecast(self.truth, pd.Timestamp(origin), self.horizons)
        told = told.set_index(["horizon", "opportunity_id"])
        ids = real.loc[is_test, "opportunity_id"]
        parts = {h: told.loc[str(h)].reindex(ids) for h in self.horizons}
        won = {h: part["is_won"].to_numpy(float) for h, part in parts.items()}
        return X, y, test, won, {h: part["probability"].to_numpy() for h, part in parts.items()}


def loan_tables(folder):
    "Deals, records of what is tracked, and stages of the real loan applications with stage history and work items."
    told = pd.read_csv(folder / "deals.csv", parse_dates=["Created Date", "Close Date"])
    moves = pd.read_csv(folder / "stage_history.csv", parse_dates=["Changed At"])
    items = pd.read_csv(folder / "activities.csv", parse_dates=["Time"])
    closed = {"Approved": "won", "Declined": "lost", "Cancelled": "lost"}
    columns = {"opportunity_id": told["Deal ID"], "sales_agent": "all", "product": "loan", **FLAT}
    deals = pd.DataFrame(columns | {"list_price": told["Amount"].astype(float)}).assign(
        stage=told["Stage"].map(closed).fillna("engaging"),
        engage_date=told["Created Date"].dt.normalize(),
        close_date=told["Close Date"].dt.normalize(),
    )
    changes = _stage_changes(moves["Deal ID"], moves["Changed At"], moves["Stage"])
    acts = {"opportunity_id": items["Deal ID"], "at": items["Time"], "recorded_at": items["Time"], "by": items["By"]}
    acts = pd.DataFrame(acts | {"kind": items["Activity"]}).sort_values(["opportunity_id", "at"], kind="stable")
    stages = {word: closed.get(word, "engaging") for word in moves["Stage"].unique()}
    return deals, index_records(changes, _since(changes), acts.reset_index(drop=True), deals, stages), stages


def read_loans(folder):
    "Loan applications at three origins; the last of the README's origins is kept for measure_loans.py."
    deals, records, stages = loan_tables(folder)
    dates = np.arange("2011-10-15", "2012-01-31", 3, dtype="datetime64[D]")
    origins = np.array(["2011-12-31", "2012-01-15", "2012-01-31"], "datetime64[D]")
    return World(deals, records, stages, dates, origins, "2011-10-01", "2012-03-14", (7, 14, 30))


def _stage_changes(ids, at, words):
    none = pd.Series(pd.NaT, ids.index, dtype="datetime64[ns]")
    columns = {"opportunity_id": ids, "changed_at": at, "recorded_at": at, "column": "stage", "value": words}
    table = pd.DataFrame(columns).assign(number=np.nan, date=none, source="history")
    return table.sort_values(["opportunity_id", "column", "changed_at"], kind="stable", ignore_index=True)


def _since(changes):
    first = changes.drop_duplicates(["opportunity_id", "column"]).rename(columns={"changed_at": "since"})
    return first[["opportunity_id", "column", "since"]].reset_index(drop=True)


def simulate(name, seed, n_deals=3000):
    "A company of the gallery; each spell of a deal that was reopened is a row, told apart by `#`."
    company = make_company(name, seed, n_deals)
    pipeline = company.tables["sales_pipeline"].set_index("opportunity_id")
    spells = company.spells[company.spells["opened_at"] <= company.export_day].reset_index(drop=True)
    ids, turn = spells["opportunity_id"], spells.groupby("opportunity_id").cumcount()
    close = spells["closed_at"].dt.normalize()
    close = close.where(close <= company.export_day)
    deals = pd.DataFrame({"opportunity_id": ids.where(turn == 0, ids + "#" + turn.astype(str)), **FLAT}).assign(
        product=ids.map(pipeline["product"]).fillna("none"),
        sales_agent="all",
        list_price=1.0,
        stage=spells["outcome"].where(close.notna(), "engaging").replace("gone", "lost"),
        engage_date=spells["opened_at"].dt.normalize(),
        close_date=close,
    )
    if "stage_history" in company.tables and not hasattr(company, "changes"):
        moves = company.tables["stage_history"]
        changes = _stage_changes(moves["opportunity_id"], moves["changed_at"], moves["to_stage"])
        told = changes, _since(changes), None
    else:
        told = company.changes, company.known_since, company.activities
    whole = deals.drop_duplicates("opportunity_id").assign(
        opportunity_id=lambda rows: rows["opportunity_id"].str.partition("#")[0]
    )
    records = index_records(*told, whole.drop_duplicates("opportunity_id", ignore_index=True), company.stages)
    origins = [company.start + pd.Timedelta(days=round(place * (company.days - 1))) for place in (0.55, 0.7, 0.85)]
    dates = spaced_dates(company.start + pd.Timedelta(days=30), origins[-1], 14)
    horizons = (30, 60, 90, "quarter_end")
    return World(deals, records, company.stages, dates, origins, company.start, company.export_day, horizons, company)


class WithoutOffset(StateHazardModel):
    "The same boosters from a constant hazard."

    def fit(self, X, y):
        kept, state_hazard.BLENDS = state_hazard.BLENDS, (1.0,)
        try:
            return super().fit(X, y)
        finally:
            state_hazard.BLENDS = kept


class ThreeClasses(IncidenceModel):
    "One classifier of open, won and lost over landmark and interval; intervals cut by censoring are left out."

    def __init__(self, calendar=CALENDAR):
        self.calendar = calendar

    def _design(self, X, place, interval):
        coded = code_columns(X, self.columns_, self.codes_)[place]
        return np.column_stack([coded, np.append(0, self.ends_[:-1])[interval]])

    def fit(self, X, y):
        self.ends_, self.columns_ = lead_ends(y, 120), state_columns(X)
        duration, event = y["duration"].to_numpy(), y["event"].to_numpy()
        pairs = np.stack([event == 1, np.full(len(X), (event == 1).mean())]).astype(float)
        self.codes_ = learn_codes(X, self.columns_, np.arange(len(X)), pairs)
        begun = duration[:, None] > np.append(0, self.ends_[:-1])
        place, interval = np.nonzero(begun & ((duration[:, None] >= self.ends_) | (event[:, None] > 0)))
        label = np.where(duration[place] <= self.ends_[interval], event[place], 0)
        rows, held = self._design(X, place, interval), hold_out(X["opportunity_id"], 0)[place]
        how = {"objective": "multi:softprob", "num_class": 3, "max_depth": 4, "eta": 0.1, "min_child_weight": 10}
        how |= {"reg_lambda": 5.0, "colsample_bynode": 0.5, "nthread": 1, "max_bin": 64}
        first, later = xgb.DMatrix(rows[~held], label[~held]), xgb.DMatrix(rows[held], label[held])
        trial = xgb.train(how, first, 300, evals=[(later, "later")], early_stopping_rounds=10, verbose_eval=False)
        self.grown_ = xgb.train(how, xgb.DMatrix(rows, label), trial.best_iteration + 1)
        return self

    def predict_hazards(self, X, days):
        size = len(self.ends_)
        rows = self._design(X, np.repeat(np.arange(len(X)), size), np.tile(np.arange(size), len(X)))
        chance = self.grown_.inplace_predict(rows).reshape(len(X), size, 3)
        closing = 1 - chance[:, :, 0]
        daily = 1 - (1 - closing) ** (1 / np.diff(np.append(0, self.ends_)))
        ahead = np.minimum(np.searchsorted(self.ends_, np.arange(1, days + 1)), size - 1)
        return daily[:, ahead], (chance[:, :, 1] / closing)[:, ahead]


class Direct:
    "A gradient-boosted classifier per horizon, on landmarks whose label is known at the origin."

    def fit(self, X, y):
        self.X, self.y, self.columns = X, y, state_columns(X)
        return self

    def predict_win(self, test, horizons):
        def ahead_of(rows, horizon):
            days = as_days(rows["as_of"])
            return (horizon_end(days, horizon, CALENDAR) - days).astype(int)

        found = {}
        for horizon in horizons:
            ahead = ahead_of(self.X, horizon)
            known = as_days(self.X["as_of"]) + ahead.astype("timedelta64[D]") <= as_days(test["as_of"].iloc[0])
            won = ((self.y["event"] == 1) & (self.y["duration"] <= ahead)).to_numpy()
            words = [name for name in self.columns if self.X[name].dtype == object]
            codes = {name: {word: k for k, word in enumerate(self.X[name].value_counts().index)} for name in words}
            rows, asked = (
                np.column_stack([code_columns(part, self.columns, codes), ahead_of(part, horizon)])
                for part in (self.X, test)
            )
            how = {"max_depth": 4, "learning_rate": 0.05, "max_iter": 120, "min_samples_leaf": 60, "random_state": 0}
            grown = HistGradientBoostingClassifier(**how).fit(rows[known], won[known])
            found[horizon] = grown.predict_proba(asked)[:, -1]
        return pd.DataFrame(found, index=test.index)


def models(world):
    "Make the models by name."
    base = make_model("cure_table", CALENDAR, world.edges, seed=0)
    return {
        "base": base,
        "states": StateHazardModel(base, CALENDAR),
        "states without offset": WithoutOffset(base, CALENDAR),
        "three classes": ThreeClasses(),
        "direct": Direct(),
    }


def judge(world):
    "Score every model, and the truth where it is known, at every origin and horizon."
    rows = []
    for origin in world.origins:
        X, y, test, won, true = world.stand(origin)
        said = {name: model.fit(X, y).predict_win(test, world.horizons) for name, model in models(world).items()}
        for name, chances in (said if true is None else said | {"truth": true}).items():
            for horizon, came in won.items():
                chance = np.asarray(chances[horizon])
                figures = {"brier": ((chance - came) ** 2).mean(), "auc": roc_auc_score(came, chance)}
                figures |= {"expected": chance.sum(), "wins": came.sum()}
                if true is not None:
                    figures["distance"] = ((chance - true[horizon]) ** 2).mean()
                rows.append({"model": name, "horizon": str(horizon), **figures})
    return pd.DataFrame(rows)


def summarise(judged):
    "Means over origins (and seeds); the sum of the chances over that of the wins."
    table = judged.groupby(["horizon", "model"], sort=False).mean(numeric_only=True)
    table["ratio"] = table.pop("expected") / table.pop("wins")
    return {h: part.droplevel(0).to_dict("index") for h, part in table.groupby(level=0, sort=False)}


if __name__ == "__main__":
    result = {}
    if len(sys.argv) > 1:
        result["loans"] = summarise(judge(read_loans(Path(sys.argv[1]))))
        print(pd.DataFrame({h: {m: f["brier"] for m, f in part.items()} for h, part in result["loans"].items()}))
    for name in ("histories", "stages"):
        result[name] = summarise(pd.concat([judge(simulate(name, seed)) for seed in SEEDS]))
        print(name, pd.DataFrame({h: {m: f["brier"] for m, f in part.items()} for h, part in result[name].items()}))
    write_json({"seeds": list(SEEDS), "worlds": result}, Path(__file__).with_name("state_models.json"), digits=5)
