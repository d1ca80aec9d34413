"""Quality with nothing said: a network that was created and trained by naming its target only, against scikit-learn's
MLP with its defaults and its logistic or ridge regression, on the 30 % of the rows that none of them has seen.

usage: bench/quality.py [SPLITS [SYNTHETIC_SPLITS]]     (Debian: python3-sklearn; make sets DESCENTD; takes minutes)

Two tables: the files of examples/data, and synthetic sets of many shapes, on which the defaults were worked out. A split is
made once and used by all. A figure is the mean over the splits; the difference is paired, to the better peer of the
two, with its standard error. The verdict asks that the score is no more than one standard error below it, and the log
loss no more than one above.
"""
import os
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
from daemon import Daemon

try:
    import numpy as np
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
except ImportError:
    print("scikit-learn is not installed: apt-get install python3-sklearn")
    sys.exit(0)

import samples

warnings.filterwarnings("ignore")
LEAST_CHANCE = 1e-15 # as scikit-learn's log_loss has it


def of_chances(chances, classes, target):
    """(accuracy, log loss) of predicted chances (rows, classes)."""
    true = np.searchsorted(classes, target)
    told = np.clip(chances[np.arange(len(true)), true], LEAST_CHANCE, 1)
    return np.mean(np.argmax(chances, 1) == true), -np.mean(np.log(told))


def descentd(daemon, train, test, seed):
    """(score, log loss or NaN). Everything but data, target and seed is left to the daemon."""
    daemon.ask("PUT", "/v1/datasets/train?replace=true", train.csv(), "text/csv")
    model = daemon.ask("PUT", "/v1/models/m", {"dataset": "train", "target": "target", "seed": seed})
    job = daemon.train("m", {"dataset": "train", "seed": seed})
    if job["state"] != "succeeded":
        raise SystemExit(f"the training ended as {job['state']}: {job['error']}")
    answer = daemon.ask("POST", "/v1/models/m:predict", {"instances": test.instances()})
    predicted = np.array(answer["predictions"], float)
    daemon.ask("DELETE", "/v1/models/m")
    if train.classifies():
        return of_chances(predicted, np.array(model["outputs"][0]["values"]), test.target)
    return 1 - np.mean((predicted[:, 0] - test.target) ** 2) / np.var(test.target), np.nan


def sklearn(model, whole, train, test):
    model = make_pipeline(StandardScaler(), model).fit(train.one_hot(whole), train.target)
    x = test.one_hot(whole)
    loss = log_loss(test.target, model.predict_proba(x), labels=model.classes_) if train.classifies() else np.nan
    return model.score(x, test.target), loss


def measure(daemon, whole, seed):
    """(3, 2): ours, the MLP's, the linear model's; score and log loss."""
    train, test = whole.split(seed)
    mlp, linear = (MLPClassifier, LogisticRegression) if whole.classifies() else (MLPRegressor, Ridge)
    return [descentd(daemon, train, test, seed),
            sklearn(mlp(random_state=seed), whole, train, test),
            sklearn(linear(max_iter=5000) if whole.classifies() else linear(), whole, train, test)]


def paired(figures, better):
    """figures (splits, 3), ours first: mean difference to the better peer, and its standard error."""
    peer = 1 + better(figures[:, 1:].mean(0))
    difference = figures[:, 0] - figures[:, peer]
    return difference.mean(), difference.std(ddof=1) / np.sqrt(len(difference))


def report(name, results, classifies):
    """One line; is it as good as the better peer in all that is judged?"""
    means = results.mean(0)
    score, error = paired(results[:, :, 0], np.argmax)
    faults = ["score"] if score < -error else []
    line = f"{name:16s}" + "".join(f"{mean[0]:9.3f}" for mean in means) + f"  {score:+.3f} ({error:.3f})   "
    if classifies:
        loss, error = paired(results[:, :, 1], np.argmin)
        faults += ["log loss"] if loss > error else []
        line += "".join(f"{mean[1]:9.3f}" for mean in means) + f"  {loss:+.3f} ({error:.3f})"
    else:
        line += " " * 43
    print(f"{line}  {'below: ' + ', '.join(faults) if faults else 'ok'}", flush=True)
    return not faults


def print_table(daemon, title, makers, splits):
    heads = "".join(f"{head:>9s}" for head in ("descentd", "MLP", "linear")) + "  difference    "
    print(f"\n{title}: mean of {splits} splits, difference to the better peer (standard error)")
    print(f"{'accuracy or R2':43s}{'':16s}{'log loss'}\n{'':16s}{heads}{'':3s}{heads}  verdict")
    good = 0
    for name, make in makers.items():
        whole = [make(seed) for seed in range(splits)]
        results = np.array([measure(daemon, whole[seed], seed) for seed in range(splits)])
        good += report(name, results, whole[0].classifies())
    print(f"as good as the better peer, within one standard error: {good} of {len(makers)}")


def main():
    splits = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    synthetic = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    files = {name: lambda seed, name=name: samples.file(name) for name in samples.FILES}
    daemon = Daemon(os.environ.get("DESCENTD"))
    try:
        print_table(daemon, "examples/data", files, splits)
        print_table(daemon, "synthetic", samples.SYNTHETIC, synthetic)
    finally:
        daemon.stop()


if __name__ == "__main__":
    main()
