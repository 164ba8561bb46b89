"""Mean-field Gaussian layers: every weight and bias is a normal variable with a mean and a standard deviation of its own.

Training draws outputs rather than weights (local reparameterization, Kingma et al. 2015): y ~ N(x m + m_b, x^2 v + v_b).
For convolutions that draws every output position apart, although they share their weights: an approximation, and only in
training. `sample` draws whole weights, as the definition says.
"""
import math

import torch
from torch import nn
from torch.nn.functional import conv2d, linear, max_pool2d, softplus

PRIOR = 1.0  # standard deviation of the prior, mean 0


class MeanField(nn.Module):
    """A layer's weight and bias; `function` is linear or a convolution."""

    def __init__(self, shape, function, deviation=0.02):
        super().__init__()
        fan_in = math.prod(shape[1:])
        self.function = function
        for name, size in (("weight", shape), ("bias", shape[:1])):
            self.register_parameter(f"{name}_mean", nn.Parameter(torch.randn(size) * math.sqrt(2 / fan_in) if name == "weight" else torch.zeros(size)))
            # softplus(u) is the standard deviation
            self.register_parameter(f"{name}_u", nn.Parameter(torch.full(size, math.log(math.expm1(deviation)))))

    def deviation(self, name):
        return softplus(getattr(self, f"{name}_u"))

    def forward(self, x):
        mean = self.function(x, self.weight_mean, self.bias_mean)
        if not self.training:
            return mean
        variance = self.function(x * x, self.deviation("weight") ** 2, self.deviation("bias") ** 2)
        return mean + torch.sqrt(variance + 1e-12) * torch.randn_like(mean)

    def sample(self, x):
        """One draw of the weights for the whole batch."""
        draw = [getattr(self, f"{n}_mean") + self.deviation(n) * torch.randn_like(getattr(self, f"{n}_mean")) for n in ("weight", "bias")]
        return self.function(x, *draw)

    def divergence(self):
        """KL of the posterior from the prior N(0, PRIOR^2), nats."""
        total = 0.0
        for name in ("weight", "bias"):
            m, s = getattr(self, f"{name}_mean"), self.deviation(name)
            total = total + (torch.log(PRIOR / s) + (s * s + m * m) / (2 * PRIOR**2) - 0.5).sum()
        return total


def dense(i, o):
    return MeanField((o, i), linear)


def convolution(i, o, kernel, padding):
    return MeanField((o, i, kernel, kernel), lambda x, w, b: conv2d(x, w, b, padding=padding))


class Network(nn.Module):
    """Named layers, each followed by ReLU (and 2 x 2 maximum pooling where it says), but for the last."""

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleDict({name: layer for name, layer, _ in layers})
        self.pooled = {name for name, _, pool in layers if pool}

    def run(self, x, call):
        last = list(self.layers)[-1]
        for name, layer in self.layers.items():
            if layer.weight_mean.dim() == 2:
                x = x.flatten(1)
            x = call(layer, x)
            if name != last:
                x = torch.relu(x)
            if name in self.pooled:
                x = max_pool2d(x, 2)
        return x

    def forward(self, x):
        return self.run(x, lambda layer, value: layer(value))

    def sample(self, x):
        return self.run(x, lambda layer, value: layer.sample(value))

    def divergence(self):
        return sum(layer.divergence() for layer in self.layers.values())

    def posterior(self):
        """Means and standard deviations by name: `LAYER.weight.mean`, `LAYER.weight.std` and so on."""
        return {f"{layer}.{name}.{part}": value.detach().contiguous()
                for layer, module in self.layers.items() for name in ("weight", "bias")
                for part, value in (("mean", getattr(module, f"{name}_mean")), ("std", module.deviation(name)))}


def mlp():
    """784-100-100-10."""
    return Network([("fc1", dense(784, 100), False), ("fc2", dense(100, 100), False), ("fc3", dense(100, 10), False)])


def lenet5():
    """Convolutions 1-6 (5x5, padding 2) and 6-16 (5x5), each with ReLU and 2 x 2 maximum pooling; dense 400-120-84-10."""
    return Network([("conv1", convolution(1, 6, 5, 2), True), ("conv2", convolution(6, 16, 5, 0), True),
                    ("fc1", dense(400, 120), False), ("fc2", dense(120, 84), False), ("fc3", dense(84, 10), False)])


NETWORKS = {"mlp": mlp, "lenet5": lenet5}
