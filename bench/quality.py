"""Quality with defaults: a network that was created and trained without naming a layer or a hyperparameter, against
scikit-learn's logistic regression (ridge regression for numbers), on the 30 % of the rows that neither has seen.

usage: bench/quality.py [SPLITS]     (Debian: python3-sklearn python3-pandas; make sets DESCENTD)

Each split is made once and used by both; the figure is the mean of the paired differences, with its standard error.
"""
import csv
import io
import os
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
from daemon import DATA, Daemon

try:
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
except ImportError:
    print("scikit-learn or pandas is not installed: apt-get install python3-sklearn python3-pandas")
    sys.exit(0)

warnings.filterwarnings("ignore")
TASKS = (("iris", "species"), ("wine", "cultivar"), ("breast_cancer", "diagnosis"), ("digits", "digit"),
         ("diabetes", "progression"))


def csv_bytes(table):
    out = io.StringIO()
    table.to_csv(out, index=False, quoting=csv.QUOTE_MINIMAL)
    return out.getvalue().encode()


def descentd_score(daemon, name, target, train, test):
    """Accuracy or R2 on the test rows; everything but data and target is left to the daemon."""
    for part, table in (("train", train), ("test", test)):
        daemon.ask("PUT", f"/v1/datasets/{name}-{part}?replace=true", csv_bytes(table), "text/csv")
    definition = {"dataset": f"{name}-train", "target": target}
    if name == "digits":
        definition["task"] = "classification"
    daemon.ask("PUT", f"/v1/models/{name}", definition)
    daemon.train(name, {"dataset": f"{name}-train"})
    metrics = daemon.ask("POST", f"/v1/models/{name}:evaluate", {"dataset": f"{name}-test"})["metrics"]
    daemon.ask("DELETE", f"/v1/models/{name}")
    return metrics.get("accuracy", metrics.get("r2"))


def sklearn_score(target, train, test, classifies):
    both = pd.get_dummies(pd.concat([train, test]).drop(columns=target)).to_numpy(float)
    a, b = both[:len(train)], both[len(train):]
    model = LogisticRegression(max_iter=5000) if classifies else Ridge()
    return make_pipeline(StandardScaler(), model).fit(a, train[target]).score(b, test[target])


def main():
    splits = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    daemon = Daemon(os.environ.get("DESCENTD"))
    print(f"{'':14s} {'descentd':>9s} {'linear':>9s}   difference (standard error), {splits} splits")
    try:
        for name, target in TASKS:
            table = pd.read_csv(os.path.join(DATA, name + ".csv"))
            classifies = name != "diabetes"
            ours, theirs = [], []
            for seed in range(splits):
                train, test = train_test_split(table, test_size=.3, random_state=seed,
                                               stratify=table[target] if classifies else None)
                ours.append(descentd_score(daemon, name, target, train, test))
                theirs.append(sklearn_score(target, train, test, classifies))
            difference = np.array(ours) - np.array(theirs)
            error = difference.std(ddof=1) / np.sqrt(splits)
            print(f"{name:14s} {np.mean(ours):9.4f} {np.mean(theirs):9.4f}   {difference.mean():+.4f} ({error:.4f})"
                  f"   {'ok' if difference.mean() >= -error else 'BELOW -1 standard error'}", flush=True)
    finally:
        daemon.stop()


if __name__ == "__main__":
    main()
