"""XOR with 2-4-1 tanh on 20 seeds: how often the loss comes below 0.01.

usage: bench/xor.py [SEEDS]     (make sets DESCENTD)
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
from daemon import Daemon

BODY = {"data": {"inputs": [[0, 0], [0, 1], [1, 0], [1, 1]], "targets": [0, 1, 1, 0]}, "epochs": 5000,
        "batch_size": "full", "optimizer": {"name": "adam", "learning_rate": 0.02}, "target_loss": 0.0099}


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    daemon = Daemon(os.environ.get("DESCENTD"))
    solved, epochs = 0, []
    try:
        for seed in range(seeds):
            daemon.ask("PUT", f"/v1/models/xor{seed}", {"inputs": 2, "outputs": 1, "seed": seed,
                                                        "layers": [{"units": 4, "activation": "tanh"}]})
            job = daemon.train(f"xor{seed}", {**BODY, "seed": seed})
            solved += job["metrics"]["loss"] < 0.01
            epochs.append(job["epoch"])
    finally:
        daemon.stop()
    print(f"XOR, 2-4-1 tanh: loss below 0.01 on {solved} of {seeds} seeds, after {min(epochs)} to {max(epochs)} epochs: "
          f"{'ok' if solved >= seeds - 1 else 'BELOW 19 of 20'}")


if __name__ == "__main__":
    main()
