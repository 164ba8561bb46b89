"""Moments of functions of normal numbers, and erfc, in float64: reads JSON on standard input, writes JSON: moments.py < cases"""
import json
import sys

import numpy as np
from scipy.special import erfc, expit, log_ndtr

given = json.load(sys.stdin)


def quadrature(f, mean, variance):
    """Trapezoids over 13 standard deviations, about the value at the mean, which keeps small variances exact."""
    z = np.linspace(-13, 13, 20001)
    weight = np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    result = []
    for m, v in zip(mean, variance):
        centre = f(m)
        difference = f(m + np.sqrt(v) * z) - centre
        offset = weight @ difference
        result.append([centre + offset, weight @ (difference - offset) ** 2])
    return result


def mirrored(f, limit):
    """Of a function with f(-x) = limit - f(x): the mean on the side where it is small."""

    def moments(mean, variance):
        below = quadrature(f, -np.abs(mean), variance)
        return [[limit - e if m > 0 else e, v] for (e, v), m in zip(below, mean)]

    return moments


def rectified(mean, variance):
    """max(x, 0) by r(a) = phi(a) + a Phi(a), with the cancellation for a < 0 in extended precision."""
    a = (np.array(mean) / np.sqrt(variance)).astype(np.longdouble)
    scale = np.sqrt(np.array(variance, dtype=np.longdouble))
    density = np.exp(-a * a / 2) / np.sqrt(2 * np.longdouble(np.pi))
    tail = np.exp(log_ndtr(-np.abs(a.astype(float)))).astype(np.longdouble)
    chance = np.where(a < 0, tail, 1 - tail)
    beyond = density - np.abs(a) * tail
    forward = np.abs(a) + beyond
    first = scale * np.where(a < 0, beyond, forward)
    return [[float(m), float(v)] for m, v in zip(first, scale * scale * (chance - forward * beyond))]


functions = {"sigmoid": mirrored(expit, 1), "tanh": mirrored(lambda x: 2 * expit(2 * np.asarray(x)) - 1, 0), "relu": rectified}
result = {name: functions[name](np.array(case["mean"]), np.array(case["variance"])) for name, case in given["moments"].items()}
json.dump({"moments": result, "erfc": [float(erfc(x)) for x in given["erfc"]]}, sys.stdout)
