"""Posteriors of Pyro and of plain PyTorch as safetensors files that sigmaflow compiles.

    from export import from_pyro, from_pytorch, write
    write(from_pyro(guide), "net.safetensors")                      # a trained AutoNormal guide
    write(from_pytorch(model.state_dict()), "net.safetensors")      # NAME_mean with NAME_u, deviation softplus(u)

    python export.py --pyro store.pt --out net.safetensors          # a saved Pyro parameter store

Each weight NAME becomes two float32 tensors, NAME.mean and NAME.std. What a file stores as spread differs between
programs: a deviation, its logarithm, a log variance, or a value before softplus. `transform` says which; nothing is guessed.
"""
import argparse
from functools import reduce
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.distributions import constraints
from torch.nn.functional import softplus

TRANSFORMS = {
    "identity": lambda u: u,                # the standard deviation itself
    "softplus": softplus,                   # deviation = ln(1 + e^u)
    "exp": torch.exp,                       # u = ln(deviation)
    "log_variance": lambda u: torch.exp(u / 2),
}


def pairs(means, deviations, rename=None):
    """{NAME: (mean, deviation)} as the tensors of a file."""
    tensors = {}
    for name, mean in means.items():
        if name not in deviations:
            raise ValueError(f"{name} has a mean and no deviation")
        deviation = deviations[name].detach()
        if mean.shape != deviation.shape:
            raise ValueError(f"{name}: the mean is {tuple(mean.shape)} and the deviation {tuple(deviation.shape)}")
        if not torch.isfinite(deviation).all() or (deviation < 0).any():
            raise ValueError(f"{name}: a deviation is negative or not finite; is `transform` right?")
        target = rename(name) if rename else name
        tensors[f"{target}.mean"] = mean.detach().float().contiguous().clone()
        tensors[f"{target}.std"] = deviation.float().contiguous().clone()
    extra = set(deviations) - set(means)
    if extra:
        raise ValueError(f"{sorted(extra)[0]} has a deviation and no mean")
    if not tensors:
        raise ValueError("found no weight with a mean and a deviation")
    return tensors


def from_pyro(source, rename=None):
    """
    Of an AutoNormal guide that has run at least once, or of a parameter store that holds one's parameters (`pyro.get_param_store()`;
    its values are constrained, so its scales are standard deviations).
    """
    means, deviations = {}, {}
    if hasattr(source, "prototype_trace"):
        for name, site in source.prototype_trace.iter_stochastic_nodes():
            support = site["fn"].support
            if getattr(support, "base_constraint", support) is not constraints.real:
                raise ValueError(f"{name}: its values are constrained to {support}, so its posterior is no normal distribution")
            means[name] = reduce(getattr, name.split("."), source.locs)
            deviations[name] = reduce(getattr, name.split("."), source.scales)
        return pairs(means, deviations, rename)
    for key, value in source.items():
        for part, into in ((".locs.", means), (".scales.", deviations)):
            if part in key:
                into[key.split(part, 1)[1]] = value
    return pairs(means, deviations, rename)


def from_pytorch(state, mean="_mean", spread="_u", transform="softplus", rename=None):
    """Of a state dictionary in which NAME + `mean` lies beside NAME + `spread`; `transform` makes deviations of the latter."""
    to_deviation = TRANSFORMS[transform]
    means = {k[: -len(mean)]: v for k, v in state.items() if k.endswith(mean)}
    deviations = {k[: -len(spread)]: to_deviation(v) for k, v in state.items() if k.endswith(spread)}
    return pairs(means, deviations, rename)


def write(tensors, path):
    save_file(tensors, str(path))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pyro", type=Path, required=True, help="a file that pyro.get_param_store().save wrote")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    import pyro

    pyro.get_param_store().load(str(args.pyro))
    write(from_pyro(pyro.get_param_store()), args.out)


if __name__ == "__main__":
    main()
