"""Train the Bayesian example networks by stochastic variational inference and store their posteriors.

    python train.py --network lenet5 --mnist DIR --fashion DIR --ambiguous DIR

Data: MNIST and the ambiguous digits of ambiguous.py (each with ten labels drawn from its judges), normalised by
(x - 0.1307) / 0.3081. Loss: cross entropy + KL / (number of training pairs). The last epoch is stored; nothing is chosen by a
look at test data. Writes NETWORK.safetensors (float16 NAME.mean and NAME.std) and NETWORK.json (figures).
"""
import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "models"))
from idx import load_split  # noqa: E402

from meanfield import NETWORKS, PRIOR  # noqa: E402

MEAN, DEVIATION = 0.1307, 0.3081
JITTER = 0.05  # added to ambiguous images once, in normalised units, as the original set does


def normal(pixels):
    return (pixels - MEAN) / DEVIATION


def pairs(mnist, ambiguous, random):
    """Training images and, for each pair, the image's place and its label."""
    images, labels = map(torch.from_numpy, load_split(mnist, "train"))
    between = np.load(ambiguous / "ambiguous-train.npz")
    more = normal(torch.from_numpy(between["images"][:, None].astype(np.float32) / np.float32(255)))
    more = more + JITTER * torch.randn(more.shape, generator=random)
    drawn = torch.from_numpy(between["labels"].astype(np.int64))
    place = torch.cat([torch.arange(len(images)), len(images) + torch.arange(len(more)).repeat_interleave(drawn.shape[1])])
    return torch.cat([normal(images), more]), place, torch.cat([labels, drawn.flatten()])


def train(network, images, place, labels, epochs, batch, rate):
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    steps = -(-len(labels) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * steps, pct_start=0.1)
    for epoch in range(epochs):
        network.train()
        start, loss_sum = time.time(), 0.0
        for pick in torch.randperm(len(labels)).split(batch):
            likelihood = cross_entropy(network(images[place[pick]]), labels[pick])
            loss = likelihood + network.divergence() / len(labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            loss_sum += likelihood.item()
        print(f"epoch {epoch + 1}/{epochs} cross entropy {loss_sum / steps:.4f} KL {network.divergence().item():.0f} nats {time.time() - start:.0f} s", flush=True)
    return network.eval()


@torch.no_grad()
def uncertainty(network, images, samples):
    """Mean probabilities, softmax entropy and mutual information (nats) over draws of the weights."""
    mean, entropy = 0.0, 0.0
    for _ in range(samples):
        logs = torch.log_softmax(torch.cat([network.sample(x) for x in images.split(2000)]).double(), 1)
        mean = mean + logs.exp() / samples
        entropy = entropy - (logs.exp() * logs).sum(1) / samples
    total = -(mean * torch.log(mean + 1e-12)).sum(1)
    return mean, entropy, (total - entropy).clamp_min(0)


def auroc(negative, positive):
    """Probability that a positive has the higher score, ties one half."""
    scores = np.concatenate([negative, positive])
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (counts.cumsum() - (counts - 1) / 2)[inverse]
    return float((ranks[len(negative):].sum() - len(positive) * (len(positive) + 1) / 2) / (len(negative) * len(positive)))


def evaluate(network, mnist, fashion, ambiguous, samples):
    clean, labels = map(torch.from_numpy, load_split(mnist, "t10k"))
    cloth, _ = load_split(fashion, "t10k")
    between = np.load(ambiguous / "ambiguous-test.npz")
    sets = {"mnist": normal(clean), "fashion": normal(torch.from_numpy(cloth)),
            # by Fashion-MNIST's own statistics, which the model's preprocessing does not know: for comparison only
            "fashionOwnStatistics": (torch.from_numpy(cloth) - 0.2860) / 0.3530,
            "ambiguous": normal(torch.from_numpy(between["images"][:, None].astype(np.float32) / np.float32(255)))}
    found = {name: uncertainty(network, x, samples) for name, x in sets.items()}
    score = {name: {"softmaxEntropy": e.numpy(), "mutualInformation": i.numpy()} for name, (_, e, i) in found.items()}
    return {
        "samples": samples,
        "accuracy": float((found["mnist"][0].argmax(1) == labels).double().mean()),
        "negativeLogLikelihood": float(-torch.log(found["mnist"][0][torch.arange(len(labels)), labels]).mean()),
        "mean": {name: {k: float(v.mean()) for k, v in s.items()} for name, s in score.items()},
        "aurocMutualInformationFashion": auroc(score["mnist"]["mutualInformation"], score["fashion"]["mutualInformation"]),
        "aurocMutualInformationFashionOwnStatistics": auroc(score["mnist"]["mutualInformation"], score["fashionOwnStatistics"]["mutualInformation"]),
        "aurocSoftmaxEntropyAmbiguous": auroc(score["mnist"]["softmaxEntropy"], score["ambiguous"]["softmaxEntropy"]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=list(NETWORKS), required=True)
    for name in ("mnist", "fashion", "ambiguous"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", type=int, default=100, help="draws of the weights for the figures")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    network = NETWORKS[args.network]()
    train(network, *pairs(args.mnist, args.ambiguous, torch.Generator().manual_seed(args.seed)), args.epochs, args.batch, args.rate)

    # What is stored is what is measured: float16 keeps 11 bits.
    stored = {name: value.half() for name, value in network.posterior().items()}
    with torch.no_grad():
        for layer, module in network.layers.items():
            for part in ("weight", "bias"):
                getattr(module, f"{part}_mean").copy_(stored[f"{layer}.{part}.mean"].float())
                getattr(module, f"{part}_u").copy_(torch.log(torch.expm1(stored[f"{layer}.{part}.std"].double())).float())
    args.out.mkdir(parents=True, exist_ok=True)
    save_file(stored, args.out / f"{args.network}.safetensors", metadata={"network": args.network, "seed": str(args.seed), "preprocessing": f"(x / 255 - {MEAN}) / {DEVIATION}"})
    figures = {"network": args.network, "seed": args.seed, "epochs": args.epochs, "batch": args.batch, "rate": args.rate, "prior": PRIOR,
               "torch": torch.__version__, **evaluate(network, args.mnist, args.fashion, args.ambiguous, args.samples)}
    (args.out / f"{args.network}.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
