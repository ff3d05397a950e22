"""Let AutoGluon stack trees within a budget. Run it in the benchmark's own environment: `python benchmarks/automl/run_autogluon.py MATRIX_FOLDER`."""

import logging
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor
from fits import FOLDS, run  # before autogluon: it sets the environment

VALIDATION = f"bagging over {FOLDS} grouped folds, weighted ensemble on the rows left out"
LEFT_OUT = ["NN_TORCH", "FASTAI"]  # they need a package of some hundred MB


def fit_autogluon(
    X: pd.DataFrame, won: np.ndarray, ahead: pd.DataFrame, folds: np.ndarray, budget: float, seed: int, scratch: Path
) -> tuple[np.ndarray, str]:
    """Return P(won) of the rows ahead and the name of the model that AutoGluon trusts."""
    warnings.filterwarnings("ignore")
    logging.getLogger("autogluon.common.utils.resource_utils").setLevel(
        logging.CRITICAL
    )  # it misses torch, once per model
    place = scratch / "autogluon"
    predictor = TabularPredictor(
        "is_won", problem_type="binary", eval_metric="log_loss", groups="fold", path=str(place), verbosity=0
    )
    predictor.fit(
        X.assign(is_won=won, fold=folds),
        time_limit=budget,
        num_bag_folds=FOLDS,
        num_bag_sets=1,
        num_stack_levels=0,
        dynamic_stacking=False,
        excluded_model_types=LEFT_OUT,
        num_cpus=1,
        num_gpus=0,
        ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
    )
    probability, best = predictor.predict_proba(ahead)[1].to_numpy(), predictor.model_best
    shutil.rmtree(place)
    return probability, best


if __name__ == "__main__":
    run(
        "autogluon",
        ["autogluon.tabular", "lightgbm", "xgboost-cpu", "catboost", "scikit-learn"],
        VALIDATION,
        fit_autogluon,
    )
