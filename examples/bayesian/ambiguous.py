"""Ambiguous digits: images between two, three or four classes, with labels drawn from what judges say of them.

    python ambiguous.py --mnist DIR --out DIR

A re-generation after the recipe of Ambiguous-MNIST (Mukhoti et al., "Deep Deterministic Uncertainty", 2021), not the
original images: a variational autoencoder decodes mixtures of the codes of training digits, and an ensemble of
five networks keeps those that it calls ambiguous while its members agree (little mutual information).

Writes ambiguous-{train,test}.npz with `images` (N,28,28) uint8, `probabilities` (N,10), the mean prediction of the judges,
and `labels` (N,10) uint8, ten draws from it; ambiguous1000-*.gz, the first 1,000 of the test part as IDX files; and the run's
figures, ambiguous.json.
"""
import argparse
import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy, cross_entropy

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "models"))
from idx import load_split  # noqa: E402

MEAN, DEVIATION = 0.1307, 0.3081
JUDGES = 5
MIXES = 64                      # mixtures of one tuple of digits
ENTROPY_BINS = np.linspace(0.05, 1.6, 51)
FLATTEN = 0.2                   # weight of a bin: its count to this power
MUTUAL_INFORMATION = 0.05       # nats; above it the judges disagree


class Autoencoder(nn.Module):
    """784-512-256-(32 means, 32 log variances), mirrored; pixels in 0..1 on both ends."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 64))
        self.decoder = nn.Sequential(nn.Linear(32, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 784), nn.Sigmoid())

    def encode(self, pixels):
        return self.encoder((pixels - MEAN) / DEVIATION).chunk(2, 1)


def train_autoencoder(images, epochs):
    model = Autoencoder()
    optimiser = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [int(epochs * f) for f in (25 / 74, 50 / 74, 65 / 74)], 0.2)
    for epoch in range(epochs):
        start, total = time.time(), 0.0
        for pick in torch.randperm(len(images)).split(128):
            x = images[pick]
            mean, log_variance = model.encode(x)
            code = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
            loss = binary_cross_entropy(model.decoder(code), x.flatten(1), reduction="sum") + divergence
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item()
        schedule.step()
        print(f"autoencoder {epoch + 1}/{epochs} loss {total / len(images):.2f} {time.time() - start:.0f} s", flush=True)
    return model.eval()


def judge():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def train_judge(number, images, labels, held_out, epochs):
    """The weights of the epoch with the least loss on held-out training images."""
    model = judge()
    optimiser = torch.optim.Adam(model.parameters())
    best, kept = float("inf"), None
    for epoch in range(epochs):
        start = time.time()
        model.train()
        for pick in torch.randperm(len(images)).split(128):
            loss = cross_entropy(model((images[pick] - MEAN) / DEVIATION), labels[pick])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        model.eval()
        with torch.no_grad():
            logits = model((held_out[0] - MEAN) / DEVIATION)
            loss = cross_entropy(logits, held_out[1]).item()
            accuracy = (logits.argmax(1) == held_out[1]).float().mean().item()
        if loss < best:
            best, kept = loss, {k: v.clone() for k, v in model.state_dict().items()}
        print(f"judge {number} epoch {epoch + 1}/{epochs} held-out loss {loss:.4f} accuracy {accuracy:.4f} {time.time() - start:.0f} s", flush=True)
    model.load_state_dict(kept)
    return model.eval()


@torch.no_grad()
def judged(judges, pixels):
    """Mean prediction, predictive entropy and mutual information (nats) of images (N,1,28,28) in 0..1."""
    logs = torch.stack([torch.log_softmax(m((pixels - MEAN) / DEVIATION).double(), 1) for m in judges])
    mean = logs.exp().mean(0)
    entropy = -(mean * torch.log(mean.clamp_min(1e-300))).sum(1)
    return mean, entropy, entropy + (logs.exp() * logs).sum(2).mean(0)


def calibration(model, images):
    """Mean and standard deviation of reconstructions, in normalised units."""
    with torch.no_grad():
        pixels = torch.cat([model.decoder(model.encode(x)[0]) for x in images[:10000].split(1000)])
    normal = (pixels - MEAN) / DEVIATION
    return normal.mean().item(), normal.std().item()


@torch.no_grad()
def candidates(model, statistics, images, by_class, random, tuples):
    """Mixtures of the codes of 2, 3 or 4 digits of distinct classes, decoded: (tuples * MIXES, 1, 28, 28)."""
    codes = []
    for _ in range(tuples):
        count = int(random.integers(2, 5))
        classes = random.choice(10, count, replace=False)
        picks = [int(random.choice(by_class[c])) for c in classes]
        mean, _ = model.encode(images[picks])
        # Spacings of sorted uniform numbers are uniform on the simplex.
        cuts = np.sort(random.random((MIXES, count - 1)), 1)
        weights = np.diff(np.concatenate([np.zeros((MIXES, 1)), cuts, np.ones((MIXES, 1))], 1), axis=1)
        codes.append(torch.from_numpy(weights.astype(np.float32)) @ mean)
    normal = (model.decoder(torch.cat(codes)) - MEAN) / DEVIATION
    mean, deviation = statistics
    standard = (normal - mean) / deviation
    pixels = (1.20 * (standard * DEVIATION + MEAN) - 0.15).clamp(0, 1)
    # Bytes are what will be stored: they are judged.
    return (pixels * 255).round().reshape(-1, 1, 28, 28) / 255


def select(entropy, count, random):
    """`count` candidates with a flattened histogram of entropies."""
    which = np.digitize(entropy, ENTROPY_BINS) - 1
    inside = (which >= 0) & (which < len(ENTROPY_BINS) - 1)
    counts = np.bincount(which[inside], minlength=len(ENTROPY_BINS) - 1)
    weight = np.zeros(len(entropy))
    weight[inside] = (counts[which[inside]].astype(float)) ** (FLATTEN - 1)
    return random.choice(len(entropy), count, replace=False, p=weight / weight.sum())


def write_idx(path, array):
    """An IDX file of bytes, compressed; the same bytes on every run."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes(), 9, mtime=0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, required=True, help="folder with the MNIST files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=74, help="of the autoencoder")
    parser.add_argument("--judge-epochs", type=int, default=19)
    parser.add_argument("--candidates", type=int, default=1 << 18, help="accepted candidates to choose from")
    parser.add_argument("--count", type=int, default=6000, help="images of each part")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    random = np.random.default_rng(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)

    images, labels = map(torch.from_numpy, load_split(args.mnist, "train"))
    # The judges' epochs are chosen on training images; the test set stays unseen.
    train, held_out = slice(0, 55000), slice(55000, 60000)
    checkpoint = args.out / "generator.pt"
    if checkpoint.exists():
        model = Autoencoder()
        judges = [judge() for _ in range(JUDGES)]
        stored = torch.load(checkpoint, weights_only=True)
        for m, s in zip([model, *judges], stored):
            m.load_state_dict(s)
            m.eval()
    else:
        print("training the autoencoder and the judges", flush=True)
        model = train_autoencoder(images, args.epochs)
        judges = [train_judge(i, images[train], labels[train], (images[held_out], labels[held_out]), args.judge_epochs) for i in range(JUDGES)]
        torch.save([m.state_dict() for m in (model, *judges)], checkpoint)

    statistics = calibration(model, images)
    by_class = [np.flatnonzero(labels.numpy() == c) for c in range(10)]
    kept, kept_mean, kept_entropy, seen = [], [], [], 0
    while sum(map(len, kept)) < args.candidates:
        pixels = candidates(model, statistics, images, by_class, random, 64)
        mean, entropy, information = judged(judges, pixels)
        keep = (information <= MUTUAL_INFORMATION) & (entropy >= 0.05) & (entropy < 3)
        kept.append((pixels[keep] * 255).round().to(torch.uint8).numpy()[:, 0])
        kept_mean.append(mean[keep].numpy())
        kept_entropy.append(entropy[keep].numpy())
        seen += len(pixels)
        if len(kept) % 50 == 0:
            print(f"{sum(map(len, kept))} of {seen} candidates accepted", flush=True)
    kept, kept_mean, kept_entropy = map(np.concatenate, (kept, kept_mean, kept_entropy))
    # likely candidates are drawn first, so the order matters
    chosen = random.permutation(select(kept_entropy, 2 * args.count, random))
    figures = {"seed": args.seed, "autoencoderEpochs": args.epochs, "judgeEpochs": args.judge_epochs, "candidates": seen, "accepted": len(kept),
               "mutualInformationCeiling": MUTUAL_INFORMATION, "reconstruction": statistics, "torch": torch.__version__, "numpy": np.__version__}
    for part, pick in (("train", chosen[:args.count]), ("test", chosen[args.count:])):
        probabilities = kept_mean[pick]
        drawn = np.stack([random.choice(10, 10, p=p / p.sum()) for p in probabilities]).astype(np.uint8)
        np.savez_compressed(args.out / f"ambiguous-{part}.npz", images=kept[pick], probabilities=probabilities.astype(np.float32), labels=drawn)
        counts, _ = np.histogram(kept_entropy[pick], np.arange(0, 1.7, 0.2))
        figures[part] = {"images": len(pick), "meanEntropy": float(kept_entropy[pick].mean()), "entropyHistogramBy0.2nat": counts.tolist(),
                         "bestAccuracyPossible": float(probabilities.max(1).mean())}
        if part == "test":
            write_idx(args.out / "ambiguous1000-images.idx3-ubyte.gz", kept[pick][:1000])
            write_idx(args.out / "ambiguous1000-labels.idx2-ubyte.gz", drawn[:1000])
    (args.out / "ambiguous.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
