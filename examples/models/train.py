"""Train the example networks with Brevitas and export them as QONNX.

    python train.py --model all --mnist DIR --fashion DIR

DIR holds the four IDX files of the data set, plain or gzipped. The .onnx files are
written next to this script; evaluate.py then writes expected.json and the figures
in README.md.
"""
import argparse
import time
from pathlib import Path

import onnx
import torch
from brevitas.export import export_qonnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.cleanup import cleanup_model
from torch.nn.functional import cross_entropy

import nets
from idx import load_split

HERE = Path(__file__).resolve().parent


def accuracy(model, images, labels):
    model.eval()
    with torch.no_grad():
        hits = sum((model(x).argmax(1) == y).sum().item()
                   for x, y in zip(images.split(1000), labels.split(1000)))
    return 100 * hits / len(labels)


def train(name, data, epochs):
    recipe = nets.RECIPES[name]
    # One thread and a fixed seed: sums are then taken in the same order on every run.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    model = nets.build(name)
    images, labels = map(torch.from_numpy, load_split(data, "train"))
    # The last epoch is exported: nothing is chosen by looking at a held-out part.
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.lr)
    steps = -(-len(labels) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.lr, total_steps=epochs * steps, pct_start=0.2)
    for epoch in range(epochs):
        model.train()
        start, total = time.time(), 0.0
        for pick in torch.randperm(len(labels)).split(recipe.batch):
            x = images[pick]
            if recipe.flip:
                mirrored = torch.rand(len(x)) < 0.5
                x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
            loss = cross_entropy(model(x), labels[pick])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"{name} epoch {epoch + 1}/{epochs} loss {total / steps:.4f} "
              f"{time.time() - start:.0f} s", flush=True)
    test = load_split(data, "t10k")
    print(f"{name}: {accuracy(model, *map(torch.from_numpy, test)):.2f} % in torch", flush=True)
    return model


def export(model, path, clean):
    model.eval()
    export_qonnx(model, args=torch.zeros(1, 1, 28, 28), export_path=str(path),
                 input_names=["input"], output_names=["logits"], opset_version=13)
    finish(path, clean)


def finish(path, clean):
    model = onnx.load(path)
    if clean:
        # Constants folded, weights stored as MatMul reads them, all shapes written down.
        wrapper = cleanup_model(ModelWrapper(model))
        wrapper.rename_tensor(wrapper.graph.input[0].name, "input")
        wrapper.rename_tensor(wrapper.graph.output[0].name, "logits")
        model = wrapper.model
    # What describes the training machine rather than the network.
    model.doc_string = model.graph.doc_string = ""
    del model.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.save(model, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=[*nets.RECIPES, "all"], default="all")
    parser.add_argument("--mnist", type=Path, help="folder with the MNIST files")
    parser.add_argument("--fashion", type=Path, help="folder with the Fashion-MNIST files")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--epochs", type=int, help="instead of the recipe's (for a quick try)")
    args = parser.parse_args()
    names = list(nets.RECIPES) if args.model == "all" else [args.model]
    for name in names:
        recipe = nets.RECIPES[name]
        data = getattr(args, recipe.data)
        if data is None:
            parser.error(f"{name} needs --{recipe.data}")
        model = train(name, data, args.epochs or recipe.epochs)
        export(model, args.out / f"{name}.onnx", recipe.clean)


if __name__ == "__main__":
    main()
