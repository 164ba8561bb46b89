"""The three quantised networks and their training recipes."""
from dataclasses import dataclass
from typing import Callable

import brevitas.nn as qnn
import torch
from brevitas.inject.enum import ScalingImplType, StatsOp
from brevitas.quant import (Int8ActPerTensorFloat, Int8WeightPerChannelFloat,
                            Int8WeightPerTensorFloat, Uint8ActPerTensorFloat)
from torch import nn


class PixelQuant(Uint8ActPerTensorFloat):
    """Step 1/255: the quantised input is the image's byte itself."""
    scaling_impl_type = ScalingImplType.CONST
    scaling_init = 1.0
    bit_width = 8


class Weight2(Int8WeightPerTensorFloat):
    """{-1, 0, 1} times a learned scale. A scale from the largest weight would
    round nearly all the others to 0, so it starts from the spread and is trained."""
    bit_width = 2
    scaling_impl_type = ScalingImplType.PARAMETER_FROM_STATS
    scaling_stats_op = StatsOp.MEAN_SIGMA_STD
    sigma = 1.0


class Weight4(Int8WeightPerTensorFloat):
    bit_width = 4
    scaling_impl_type = ScalingImplType.PARAMETER_FROM_STATS


class Act2(Int8ActPerTensorFloat):
    """Signed: the batch norm before it centres the values on 0."""
    bit_width = 2


class Act4(Uint8ActPerTensorFloat):
    bit_width = 4


def pixels():
    return qnn.QuantIdentity(act_quant=PixelQuant)


def mlp_w2a2():
    layers = [nn.Flatten(), pixels()]
    width = 784
    for _ in range(3):
        layers += [qnn.QuantLinear(width, 64, bias=False, weight_quant=Weight2),
                   nn.BatchNorm1d(64),
                   qnn.QuantIdentity(act_quant=Act2)]
        width = 64
    layers += [qnn.QuantLinear(width, 10, bias=True, weight_quant=Weight2)]
    return nn.Sequential(*layers)


def lenet_w4a4():
    def conv(i, o, padding):
        return [qnn.QuantConv2d(i, o, 5, padding=padding, bias=False, weight_quant=Weight4),
                nn.BatchNorm2d(o),
                qnn.QuantReLU(act_quant=Act4),
                nn.MaxPool2d(2)]

    return nn.Sequential(
        pixels(), *conv(1, 8, 2), *conv(8, 16, 0), nn.Flatten(),
        qnn.QuantLinear(400, 64, bias=False, weight_quant=Weight4),
        nn.BatchNorm1d(64), qnn.QuantReLU(act_quant=Act4),
        qnn.QuantLinear(64, 10, bias=True, weight_quant=Weight4))


def _conv8(i, o, kernel, stride=1, groups=1):
    return [qnn.QuantConv2d(i, o, kernel, stride=stride, padding=kernel // 2, groups=groups,
                            bias=False, weight_quant=Int8WeightPerChannelFloat),
            nn.BatchNorm2d(o)]


def _relu8():
    return qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat)


def _separable8(i, o, stride=1):
    """Depthwise 3x3, then 1x1; the caller puts the last activation."""
    return [*_conv8(i, i, 3, stride, groups=i), _relu8(), *_conv8(i, o, 1)]


class Residual8(nn.Module):
    """Both addends pass one quantiser, so they share a step and add as integers."""

    def __init__(self, channels):
        super().__init__()
        self.branch = nn.Sequential(*_separable8(channels, channels))
        self.addend = qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat)
        self.out = _relu8()

    def forward(self, x):
        return self.out(self.addend(self.branch(x)) + self.addend(x))


def cnn_w8a8_fashion():
    return nn.Sequential(
        pixels(),
        *_conv8(1, 16, 3), _relu8(), nn.MaxPool2d(2),
        *_separable8(16, 32), _relu8(),
        Residual8(32),
        *_separable8(32, 64, stride=2), _relu8(),
        Residual8(64),
        nn.AdaptiveAvgPool2d(1),
        qnn.QuantIdentity(act_quant=Uint8ActPerTensorFloat),
        nn.Flatten(),
        qnn.QuantLinear(64, 10, bias=True, weight_quant=Int8WeightPerChannelFloat))


@dataclass(frozen=True)
class Recipe:
    build: Callable[[], nn.Module]
    data: str  # "mnist" or "fashion"
    epochs: int
    batch: int
    lr: float
    flip: bool  # mirror half of the training images
    clean: bool  # qonnx clean-up, or the file just as Brevitas writes it
    text: str  # architecture, for the README
    seed: int = 1


RECIPES = {
    "mlp_w2a2": Recipe(
        mlp_w2a2, "mnist", epochs=30, batch=100, lr=5e-3, flip=False, clean=True,
        text="784-64-64-64-10 dense; weights 2 bit narrow (-1..1) per tensor; batch norm and a "
             "signed 2-bit activation (-2..1) after each hidden layer; float bias at the end"),
    "lenet_w4a4": Recipe(
        lenet_w4a4, "mnist", epochs=10, batch=100, lr=5e-3, flip=False, clean=False,
        text="conv 5x5 1-8 (padding 2), pool, conv 5x5 8-16, pool, dense 400-64-10; weights 4 bit "
             "narrow per tensor; conv, batch norm, ReLU to unsigned 4 bit, max pool 2x2; float "
             "bias at the end"),
    "cnn_w8a8_fashion": Recipe(
        cnn_w8a8_fashion, "fashion", epochs=15, batch=100, lr=5e-3, flip=True, clean=True,
        text="conv 3x3 1-16, max pool, separable 16-32, residual 32, separable 32-64 (stride 2), "
             "residual 64, global average pool, dense 64-10; separable = depthwise 3x3 then 1x1; "
             "weights 8 bit narrow per channel, activations 8 bit per tensor (unsigned after "
             "ReLU, signed at the adds); float bias at the end"),
}


def build(name):
    torch.manual_seed(RECIPES[name].seed)
    return RECIPES[name].build()
