"""scikit-learn on one of the tasks of bench/train.c: prints samples a second of CPU time, the best of three fits after a warm-up.

usage: train_sklearn.py SIZES BATCH ROWS EPOCHS     as in: train_sklearn.py 4-16-3 32 150 100
"""
import sys
import time
import warnings

import numpy
from sklearn.neural_network import MLPClassifier

RUNS = 3
sizes = [int(n) for n in sys.argv[1].split("-")]
batch, rows, epochs = (int(n) for n in sys.argv[2:5])
warnings.filterwarnings("ignore")  # that it has not converged
random = numpy.random.default_rng(1)
inputs = random.random((rows, sizes[0]), dtype=numpy.float32)
classes = numpy.arange(rows) % sizes[-1]  # each of them is there


def fit():
    net = MLPClassifier(sizes[1:-1], batch_size=batch, max_iter=epochs, tol=0, n_iter_no_change=epochs + 1)
    started = time.process_time()
    net.fit(inputs, classes)
    return time.process_time() - started


fit()
print(rows * epochs / min(fit() for _ in range(RUNS)))
