"""Let FLAML search within a budget. Run it in the benchmark's own environment: `python benchmarks/automl/run_flaml.py MATRIX_FOLDER`."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from fits import run  # before flaml: it sets the environment
from flaml import AutoML

VALIDATION = "grouped folds; holdout or cross-validation as FLAML decides by size and budget"


def fit_flaml(
    X: pd.DataFrame, won: np.ndarray, ahead: pd.DataFrame, folds: np.ndarray, budget: float, seed: int, scratch: Path
) -> tuple[np.ndarray, str]:
    """Return P(won) of the rows ahead and the name of the learner that FLAML chose."""
    scratch.mkdir(exist_ok=True)
    os.chdir(scratch)  # CatBoost leaves its diary in the working folder
    automl = AutoML()
    automl.fit(
        X,
        won,
        task="classification",
        metric="log_loss",
        time_budget=budget,
        split_type="group",
        groups=folds,
        n_jobs=1,
        seed=seed,
        verbose=0,
    )
    return automl.predict_proba(ahead)[:, 1], automl.best_estimator


if __name__ == "__main__":
    run("flaml", ["flaml", "lightgbm", "xgboost-cpu", "catboost", "scikit-learn"], VALIDATION, fit_flaml)
