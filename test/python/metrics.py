"""Metrics by scikit-learn, scipy and numpy: reads arrays as JSON on standard input, writes numbers: metrics.py < arrays"""
import json
import sys

import numpy as np
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import entr, expit, log_softmax
from scipy.stats import entropy, norm
from sklearn.metrics import accuracy_score, auc, average_precision_score, log_loss, roc_auc_score, roc_curve

given = json.load(sys.stdin)
classes = given["classes"]
labels = np.array(given["labels"])
p = np.array(given["probabilities"]).reshape(-1, classes)
logits = np.array(given["logits"]).reshape(-1, classes)
samples = np.array(given["samples"]).reshape(given["count"], -1, classes)
negative, positive = np.array(given["negative"]), np.array(given["positive"])
truth = np.concatenate([np.zeros(len(negative)), np.ones(len(positive))])
scores = np.concatenate([negative, positive])

confidence, right = p.max(1), p.argmax(1) == labels


def calibration_error(which):
    return float(sum(abs(right[w].mean() - confidence[w].mean()) * len(w) / len(labels) for w in which if len(w)))


edges = np.linspace(0, 1, 16)
width = np.digitize(confidence, edges[1:-1], right=True)
mass = np.array_split(np.argsort(confidence, kind="stable"), 15)
false_rate, true_rate, _ = roc_curve(truth, scores, drop_intermediate=False)
mean = samples.mean(0)
total, aleatoric = entropy(mean, axis=1), entropy(samples, axis=2).mean(0)
order = np.argsort(negative, kind="stable")
wrong = np.array(given["wrong"])[order]
fit = minimize_scalar(lambda x: -log_softmax(logits / np.exp(x), axis=1)[np.arange(len(labels)), labels].mean(), bounds=(np.log(0.01), np.log(100)), method="bounded", options={"xatol": 1e-10})


def two_classes(mean, variance):
    """E p, E H(p) of the first of two normal logits, by quadrature"""
    z = norm(mean[0] - mean[1], np.sqrt(sum(variance)))
    p = lambda x: expit(x)
    over = lambda f: quad(lambda x: f(x) * z.pdf(x), z.ppf(1e-13), z.ppf(1 - 1e-13), limit=200)[0]
    return [over(p), over(lambda x: entr(p(x)) + entr(1 - p(x)))]


json.dump({
    "accuracy": accuracy_score(labels, p.argmax(1)),
    "negativeLogLikelihood": log_loss(labels, p, labels=list(range(classes))),
    "brierScore": float(((p - np.eye(classes)[labels]) ** 2).sum(1).mean()),
    "calibrationErrorByWidth": calibration_error([np.flatnonzero(width == b) for b in range(15)]),
    "calibrationErrorByMass": calibration_error(mass),
    "auroc": roc_auc_score(truth, scores),
    "aurocByCurve": auc(false_rate, true_rate),
    "aupr": average_precision_score(truth, scores),
    "falsePositiveRateAt95": float(false_rate[np.flatnonzero(true_rate >= 0.95)[0]]),
    "truePositiveRateAt5": float(true_rate[np.flatnonzero(false_rate <= 0.05)[-1]]),
    "riskArea": float((np.cumsum(wrong) / np.arange(1, len(wrong) + 1)).mean()),
    "histogram": np.histogram(negative, bins=13, range=(0, 4))[0].tolist(),
    "twoClasses": [two_classes(m, v) for m, v in given["twoClasses"]],
    "predictiveEntropy": total.tolist(),
    "softmaxEntropy": aleatoric.tolist(),
    "mutualInformation": np.maximum(total - aleatoric, 0).tolist(),
    "risk": (np.cumsum(wrong) / np.arange(1, len(wrong) + 1)).tolist(),
    "temperature": float(np.exp(fit.x)),
}, sys.stdout)
