"""An MLP of PyTorch behind FastAPI, as one writes it who has a model to serve: bench/serve.py's peer, run by uvicorn.

LAYERS says the network, as in LAYERS=784-128-10. Its weights are random, which no time depends on.
"""
import os
from typing import List

import torch
from fastapi import FastAPI
from pydantic import BaseModel

torch.set_num_threads(1)
torch.manual_seed(1)


class Rows(BaseModel):
    instances: List[List[float]]


class Predictions(BaseModel):
    predictions: List[List[float]]


def network(sizes):
    layers = []
    for before, after in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1], torch.nn.Softmax(dim=1)).eval()


app = FastAPI()
net = network([int(size) for size in os.environ["LAYERS"].split("-")])


@app.post("/predict", response_model=Predictions)
async def predict(rows: Rows):  # a plain function would go through a pool of threads, which is slower
    with torch.no_grad():
        return {"predictions": net(torch.tensor(rows.instances)).tolist()}
