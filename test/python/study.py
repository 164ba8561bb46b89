"""A study of uncertainty by scikit-learn, scipy and numpy: reads sets of samples as JSON on standard input: study.py < sets

Labels are classes, or rows of probabilities.
"""
import json
import sys

import numpy as np
from scipy.special import rel_entr, xlogy
from scipy.stats import entropy
from sklearn.metrics import accuracy_score, average_precision_score, log_loss, roc_auc_score, roc_curve

given = json.load(sys.stdin)
classes = given["classes"]


def calibration_error(confidence, right, bins):
    return sum(abs(right[b].mean() - confidence[b].mean()) * len(b) / len(right) for b in bins if len(b))


def read(s):
    samples = np.array(s["samples"]).reshape(given["count"], -1, classes)
    mean = samples.mean(0)
    scores = {
        "predictiveEntropy": entropy(mean, axis=1), "softmaxEntropy": entropy(samples, axis=2).mean(0),
        "mutualInformation": rel_entr(samples, mean).sum(2).mean(0),
    }
    return {**s, "mean": mean, "scores": scores}


def of_labels(p, labels):
    predicted, confidence, rows = p.argmax(1), p.max(1), np.arange(len(p))
    order = np.argsort(confidence, kind="stable")
    width = np.digitize(confidence, np.linspace(0, 1, 16)[1:-1], right=True)
    bins = [np.flatnonzero(width == b) for b in range(15)], np.array_split(order, 15)
    if labels.ndim == 1:
        right = given_to = predicted == labels
        found = {
            "accuracy": accuracy_score(labels, predicted), "negativeLogLikelihood": log_loss(labels, p, labels=list(range(classes))),
            "brierScore": ((p - np.eye(classes)[labels]) ** 2).sum(1).mean(),
        }
    else:
        given_to = labels[rows, predicted]
        right = given_to == labels.max(1)
        found = {
            # every class of every row as an input of its own, weighed by its share
            "negativeLogLikelihood": log_loss(np.tile(np.arange(classes), len(p)), np.repeat(p, classes, axis=0), sample_weight=labels.ravel(), labels=list(range(classes))),
            "accuracy": right.mean(), "brierScore": ((p - labels) ** 2).sum(1).mean(), "labelEntropy": -xlogy(labels, labels).sum(1).mean(),
        }
    found["calibrationErrorByWidth"], found["calibrationErrorByMass"] = (calibration_error(confidence, given_to, b) for b in bins)
    return found, right


def detection(negative, positive):
    truth = np.concatenate([np.zeros(len(negative)), np.ones(len(positive))])
    scores = np.concatenate([negative, positive])
    falses, trues, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    at5 = np.flatnonzero(falses <= 0.05)[-1]
    return {
        "auroc": roc_auc_score(truth, scores), "aupr": average_precision_score(truth, scores),
        "falsePositiveRateAt95": falses[np.flatnonzero(trues >= 0.95)[0]], "truePositiveRateAt5": trues[at5], "thresholdAt5": thresholds[at5],
    }


def risks(scores, right):
    return np.cumsum(~right[np.argsort(scores, kind="stable")]) / np.arange(1, len(right) + 1)


sets = [read(s) for s in given["sets"]]
first, ambiguous = sets[0], [s for s in sets if s["role"] == "ambiguous"]
summaries = []
for s in sets:
    means = {name: x.mean() for name, x in s["scores"].items()}
    summaries.append({**(of_labels(s["mean"], np.array(s["labels"]))[0] if "labels" in s else {}), "means": means})
detections = []
for s in sets[1:]:
    for others in [[first]] + ([[first] + ambiguous] if s["role"] == "out-of-domain" else []):
        for name in s["scores"]:
            detections.append({"set": s["name"], "from": [o["name"] for o in others], "score": name, **detection(np.concatenate([o["scores"][name] for o in others]), s["scores"][name])})
right = of_labels(first["mean"], np.array(first["labels"]))[1]
curves = {name: risks(x, right) for name, x in first["scores"].items()}
total = curves["predictiveEntropy"]
answered = np.flatnonzero(total <= (1 - right.mean()) / 2)[-1]
json.dump({
    "sets": summaries, "detections": detections, "risk": {name: x.tolist() for name, x in curves.items()}, "riskArea": {name: x.mean() for name, x in curves.items()},
    "deferral": {"threshold": np.sort(first["scores"]["predictiveEntropy"])[answered], "risk": (1 - right.mean()) / 2, "coverage": (answered + 1) / len(right), "wrong": total[answered]},
}, sys.stdout)
