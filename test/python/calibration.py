"""The likelihood of a dense Bayesian network's moments over calibration factors, by numpy and scipy: calibration.py < JSON"""
import json
import sys

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, ndtr

given = json.load(sys.stdin)
w = {name: {k: np.array(v[k], dtype=np.float64).reshape(v["shape"]) for k in ("mean", "deviation")} for name, v in given["weights"].items()}
labels = np.array(given["labels"])
x = np.array(given["inputs"]).reshape(len(labels), -1)
nodes, masses = np.polynomial.hermite_e.hermegauss(60)


def dense(m, v, name, f):
    weight, bias = w[name + ".weight"], w[name + ".bias"]
    wv, bv = f * weight["deviation"] ** 2, f * bias["deviation"] ** 2
    return m @ weight["mean"].T + bias["mean"], (m * m + v) @ wv.T + v @ (weight["mean"] ** 2).T + bv


def relu(m, v):
    s = np.sqrt(v)
    a = m / s
    p = np.exp(-a * a / 2) / np.sqrt(2 * np.pi)
    mean = m * ndtr(a) + s * p
    return mean, (m * m + v) * ndtr(a) + m * s * p - mean ** 2


def likelihood(f1, f2):
    m, v = relu(*dense(x, np.zeros_like(x), "fc1", f1))
    m, v = dense(m, v, "fc2", f2)
    # two classes: one normal variable, the difference
    d, s = m[:, 1] - m[:, 0], np.sqrt(v.sum(1))
    p = (expit(d[:, None] + s[:, None] * nodes) * masses).sum(1) / masses.sum()
    return float(-np.log(np.where(labels == 1, p, 1 - p)).mean())


def tempered(mean, variance, labels, temperature):
    """The likelihood over temperatures of two normal logits a row; labels are probabilities of the second class"""
    difference, spread = np.diff(np.reshape(mean, (-1, 2))), np.sqrt(np.reshape(variance, (-1, 2)).sum(1, keepdims=True))
    q = np.array(labels)

    def at(t):
        second, first = (np.log(np.maximum((expit(sign * (difference + spread * nodes) / t) * masses).sum(1) / masses.sum(), 2.0 ** -126)) for sign in (1, -1))
        return float(-(q * second + (1 - q) * first).mean())

    fit = minimize_scalar(lambda x: at(np.exp(x)), bounds=(np.log(1e-3), np.log(1e3)), method="bounded", options={"xatol": 1e-8})
    return {"temperature": float(np.exp(fit.x)), "least": fit.fun, "atTemperature": at(temperature), "atOne": at(1)}


if "tempered" in given:
    json.dump([tempered(**t) for t in given["tempered"]], sys.stdout)
    sys.exit()
one = minimize_scalar(lambda t: likelihood(np.exp(t), np.exp(t)), bounds=(np.log(1e-3), np.log(1e3)), method="bounded", options={"xatol": 1e-8})
start = [one.x, one.x]
two = minimize(lambda t: likelihood(*np.exp(np.clip(t, np.log(1e-3), np.log(1e3)))), start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10})
json.dump({
    "before": likelihood(1, 1), "atFactor": likelihood(given["factor"], given["factor"]), "least": one.fun, "best": float(np.exp(one.x)),
    "atLayers": likelihood(*given["layers"]), "leastOfLayers": two.fun,
}, sys.stdout)
