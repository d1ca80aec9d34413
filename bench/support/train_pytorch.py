"""PyTorch on one of the tasks of bench/train.c: prints samples a second of CPU time, the best of five runs after a warm-up.

usage: train_pytorch.py SIZES BATCH ROWS EPOCHS     as in: train_pytorch.py 4-16-3 32 150 100
"""
import sys
import time

import torch

RUNS = 5
sizes = [int(n) for n in sys.argv[1].split("-")]
batch, rows, epochs = (int(n) for n in sys.argv[2:5])
torch.set_num_threads(1)
torch.manual_seed(1)
inputs, classes = torch.rand(rows, sizes[0]), torch.randint(0, sizes[-1], (rows,))
layers = []
for before, after in zip(sizes, sizes[1:]):
    layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
net = torch.nn.Sequential(*layers[:-1])
loss_of = torch.nn.CrossEntropyLoss()
adam = torch.optim.Adam(net.parameters())


def train():
    started = time.process_time()
    for _ in range(epochs):
        order = torch.randperm(rows)
        for first in range(0, rows, batch):
            picked = order[first:first + batch]
            adam.zero_grad()
            loss_of(net(inputs[picked]), classes[picked]).backward()
            adam.step()
    return time.process_time() - started


train()
print(rows * epochs / min(train() for _ in range(RUNS)))
