"""Mean and variance of the outputs of dense networks (ReLU between layers) whose weights are all drawn, in float64: sampling.py FOLDER COUNT

FOLDER holds x.npy, and for every layer fcN the arrays fcN.weight.mean, .std and fcN.bias.mean, .std, each as .npy.
"""
import json
import os
import sys
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # these products are small: threads would only wait for one another
import numpy as np

folder, count = Path(sys.argv[1]), int(sys.argv[2])
array = lambda name: np.load(folder / f"{name}.npy").astype(np.float64)
names = sorted({path.name.split(".")[0] for path in folder.glob("fc*.npy")})
layers = [[(array(f"{name}.{part}.mean"), array(f"{name}.{part}.std")) for part in ("weight", "bias")] for name in names]
x = array("x")
random = np.random.default_rng(4)

total = squares = 0.0
for _ in range(count):
    values = x
    for at, layer in enumerate(layers):
        weight, bias = (mean + deviation * random.standard_normal(mean.shape) for mean, deviation in layer)
        values = (np.maximum(values, 0) if at else values) @ weight.T + bias
    total = total + values
    squares = squares + values**2
mean = total / count
json.dump({"mean": mean.ravel().tolist(), "variance": (squares / count - mean**2).ravel().tolist()}, sys.stdout)
