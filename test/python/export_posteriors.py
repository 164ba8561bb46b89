"""Posteriors of a live Pyro guide and of a PyTorch module, written by examples/bayesian/export.py.

    python export_posteriors.py DIR

Trains an AutoNormal guide of a 4-3-2 network for a few steps, writes pyro.safetensors (from the guide), store.safetensors (from a
saved and loaded parameter store), pytorch.safetensors (a plain mean-field module), and expected.json: means and deviations as
Pyro's own quantiles give them, inputs, and outputs of weights that Pyro drew.
"""
import json
import sys
from pathlib import Path

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import SVI, Trace_ELBO
from pyro.infer.autoguide import AutoNormal
from pyro.nn import PyroModule, PyroSample

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "bayesian"))
from export import from_pyro, from_pytorch, write  # noqa: E402

DRAWS = 20000


class Network(PyroModule):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = (PyroModule[torch.nn.Linear](i, o) for i, o in ((4, 3), (3, 2)))
        for layer in (self.fc1, self.fc2):
            for name, value in list(layer.named_parameters()):
                setattr(layer, name, PyroSample(dist.Normal(torch.zeros_like(value), 1.0).to_event(value.dim())))

    def forward(self, x, y=None):
        out = self.fc2(torch.relu(self.fc1(x)))
        with pyro.plate("data", len(x)):
            pyro.sample("obs", dist.Normal(out, 0.3).to_event(1), obs=y)
        return out


class MeanField(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1_mean = torch.nn.Parameter(torch.randn(3, 4))
        self.fc1_u = torch.nn.Parameter(torch.randn(3, 4))


def refusal(call):
    try:
        call()
    except ValueError as error:
        return str(error)
    return None


def main():
    out = Path(sys.argv[1])
    torch.manual_seed(7)
    pyro.set_rng_seed(7)
    x = torch.randn(64, 4)
    y = torch.stack([x[:, 0] - x[:, 1], torch.relu(x[:, 2])], 1)
    network = Network()
    guide = AutoNormal(network, init_scale=0.2)
    svi = SVI(network, guide, pyro.optim.Adam({"lr": 0.03}), Trace_ELBO())
    for _ in range(200):
        svi.step(x, y)

    write(from_pyro(guide), out / "pyro.safetensors")
    pyro.get_param_store().save(str(out / "store.pt"))
    pyro.clear_param_store()
    pyro.get_param_store().load(str(out / "store.pt"))
    write(from_pyro(pyro.get_param_store()), out / "store.safetensors")
    module = MeanField()
    write(from_pytorch(module.state_dict(), rename=lambda name: f"{name}.weight"), out / "pytorch.safetensors")

    one = float(dist.Normal(0.0, 1.0).cdf(torch.tensor(1.0)))
    quantiles = guide.quantiles([0.5, one])
    sites = {name: {"shape": list(q[0].shape), "mean": q[0].flatten().tolist(), "deviation": (q[1] - q[0]).flatten().tolist()} for name, q in quantiles.items()}
    # One hidden layer's outputs have a normal distribution: Pyro's own draws give its moments.
    hidden = []
    with torch.no_grad():
        for _ in range(DRAWS):
            drawn = {name: site["value"] for name, site in pyro.poutine.trace(guide).get_trace(x).nodes.items() if site["type"] == "sample" and name.startswith("fc1")}
            hidden.append(x[:4] @ drawn["fc1.weight"].T + drawn["fc1.bias"])
    hidden = torch.stack(hidden).double()
    expected = {
        "versions": {"pyro": pyro.__version__, "torch": torch.__version__},
        "sites": sites,
        "inputs": x[:4].tolist(),
        "draws": DRAWS,
        "hidden": {"mean": hidden.mean(0).tolist(), "variance": hidden.var(0).tolist()},
        "pytorch": {"mean": module.fc1_mean.flatten().tolist(), "u": module.fc1_u.flatten().tolist()},
        "refusals": {
            "negative": refusal(lambda: from_pytorch(module.state_dict(), transform="identity")),
            "unpaired": refusal(lambda: from_pytorch({"fc1_mean": torch.zeros(2)})),
        },
    }
    (out / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main()
