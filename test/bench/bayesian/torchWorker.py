"""torch as an engine of the benchmark: messages in, answers out, a line of JSON each (engines/engine.ts). One thread.

Variants of S sampled passes, each giving the mean of the logits: `fresh` draws every weight anew, `sets` runs one set of weights after
the other, `graph` all sets at once (batched products, grouped convolutions), `local` draws the outputs of dense layers instead of
their weights (local reparameterization; exact for dense layers, which is why it is for networks of those alone).
"""
import json
import sys
import time

import numpy
import torch
import torch.nn.functional as F

torch.set_num_threads(1)


class Network:
    def __init__(self, file):
        with open(f"{file}.json") as f:
            described = json.load(f)
        data = numpy.fromfile(f"{file}.bin", dtype=numpy.float32)
        self.samples = described["samples"]
        self.layers = described["layers"]

        def tensor(start, shape):
            size = int(numpy.prod(shape))
            return torch.from_numpy(data[start : start + size].reshape(shape).copy())

        for layer in self.layers:
            for name in ("weight", "bias"):
                if name in layer:
                    shape = layer[name]["shape"]
                    layer[name] = {
                        "mean": tensor(layer[name]["mean"], shape),
                        "deviation": tensor(layer[name]["deviation"], shape),
                        "draws": tensor(layer[name]["draws"], [self.samples, *shape]),
                    }
            if layer["op"] == "Gemm":
                layer["turned"] = layer["weight"]["draws"].transpose(1, 2).contiguous()
                layer["variance"] = layer["weight"]["deviation"].square()
                layer["biasVariance"] = layer["bias"]["deviation"].square()

    def plain(self, x, weights):
        for layer, (weight, bias) in zip(self.layers, weights):
            op = layer["op"]
            if op == "Relu":
                x = F.relu(x)
            elif op == "MaxPool":
                x = F.max_pool2d(x, 2)
            elif op == "Flatten":
                x = x.flatten(1)
            elif op == "Conv":
                x = F.conv2d(x, weight, bias, padding=layer["padding"])
            else:
                x = F.linear(x, weight, bias)
        return x

    def loop(self, x, pick):
        total = None
        for s in range(self.samples):
            weights = [tuple(pick(layer[n], s) if n in layer else None for n in ("weight", "bias")) for layer in self.layers]
            y = self.plain(x, weights)
            total = y if total is None else total + y
        return total / self.samples

    def fresh(self, x):
        return self.loop(x, lambda t, s: torch.addcmul(t["mean"], t["deviation"], torch.randn_like(t["mean"])))

    def sets(self, x):
        return self.loop(x, lambda t, s: t["draws"][s])

    def graph(self, x):
        n, stacked = len(x), False
        for layer in self.layers:
            op = layer["op"]
            if op == "Relu":
                x = F.relu(x)
            elif op == "MaxPool":
                x = F.max_pool2d(x, 2)
            elif op == "Flatten":
                x = x.reshape(n, self.samples, -1).transpose(0, 1) if stacked else x.flatten(1)
            elif op == "Conv":
                x = F.conv2d(x, layer["weight"]["draws"].flatten(0, 1), layer["bias"]["draws"].flatten(), padding=layer["padding"], groups=self.samples if stacked else 1)
                stacked = True
            elif not stacked:
                x = F.linear(x, layer["weight"]["draws"].flatten(0, 1), layer["bias"]["draws"].flatten()).reshape(n, self.samples, -1).transpose(0, 1)
                stacked = True
            else:
                x = torch.baddbmm(layer["bias"]["draws"].unsqueeze(1), x, layer["turned"])
        return x.mean(0)

    def local(self, x):
        for layer in self.layers:
            op = layer["op"]
            if op == "Relu":
                x = F.relu(x)
            elif op == "Flatten":
                x = x.flatten(1)
            else:
                mean = F.linear(x, layer["weight"]["mean"], layer["bias"]["mean"])
                deviation = F.linear(x.square(), layer["variance"], layer["biasVariance"]).sqrt()
                # the first layer is the same for all samples
                shape = mean.shape if mean.dim() == 3 else (self.samples, *mean.shape)
                x = torch.addcmul(mean.expand(shape), deviation.expand(shape), torch.randn(shape))
        return x.mean(0)


class Work:
    def load(self, message):
        batch, shape, examples = message["batch"], message["shape"], message["examples"]
        self.batch = batch
        self.run = getattr(Network(message["file"]), message["variant"])
        rows = numpy.array([examples[i % len(examples)] for i in range(batch)], dtype=numpy.float32)
        self.x = torch.from_numpy(rows.reshape(batch, *shape))
        with torch.inference_mode():
            outputs = self.run(self.x).numpy()
        return {"outputs": [outputs[i % batch].tolist() for i in range(len(examples))], "settings": f"torch {torch.__version__}, one thread, inference mode"}

    def round(self, message):
        count, start, cpu = 0, time.perf_counter(), time.process_time()
        with torch.inference_mode():
            while True:
                self.run(self.x).numpy()
                count += 1
                wall = time.perf_counter() - start
                if wall * 1000 >= message["milliseconds"]:
                    break
        per = 1e6 / (count * self.batch)
        return {"wall": wall * per, "cpu": (time.process_time() - cpu) * per}


work = Work()
for line in sys.stdin:
    message = json.loads(line)
    try:
        answer = {"ok": True, **(work.load(message) if message["kind"] == "load" else work.round(message))}
    except Exception as error:  # told to the parent, which says it
        answer = {"ok": False, "message": str(error)}
    print(json.dumps(answer), flush=True)
