"""Run the exported files under the qonnx reference executor; write expected.json and
the figures in README.md.

    python evaluate.py --mnist DIR --fashion DIR
"""
import argparse
import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.transformation.infer_shapes import InferShapes

import nets
from idx import find_idx, load_split

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data"
BATCH = 200
PACKAGES = ("torch", "brevitas", "qonnx", "onnx", "onnxruntime", "numpy")
BEGIN, END = "<!-- figures: written by evaluate.py -->", "<!-- end of figures -->"


def logits_of(path, images, batch):
    model = ModelWrapper(str(path))
    if batch != 1:
        model = model.transform(ChangeBatchSize(batch))
    # The executor refuses a graph in which any tensor lacks a shape.
    model = model.transform(InferShapes())
    parts = np.split(images, range(batch, len(images), batch))
    return np.concatenate([execute_onnx(model, {"input": part})["logits"] for part in parts])


def short(value):
    """The shortest decimal that reads back as the same float32."""
    return float(str(np.float32(value)))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def measure(name, full):
    recipe = nets.RECIPES[name]
    path = HERE / f"{name}.onnx"
    images, labels = load_split(DATA, f"{recipe.data}600")
    logits = logits_of(path, images, 1)
    all_images, all_labels = load_split(full, "t10k")
    all_correct = int((logits_of(path, all_images, BATCH).argmax(1) == all_labels).sum())
    choice = logits.argmax(1)
    correct = int((choice == labels).sum())
    return {
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "data": recipe.data,
        "images10000": {"correct": all_correct, "accuracy": all_correct / len(all_labels)},
        "images600": {
            "correct": correct,
            "accuracy": round(correct / len(labels), 6),
            "maxAbsLogit": short(np.abs(logits).max()),
            "predictions": "".join(map(str, choice)),
        },
        "first16": {
            "maxAbsLogit": short(np.abs(logits[:16]).max()),
            "logits": [[short(v) for v in row] for row in logits[:16]],
        },
    }


def subset(name):
    paths = [find_idx(DATA, f"{name}600", what) for what in ("images", "labels")]
    return {path.name: sha256(path) for path in paths}


def figures(report):
    lines = []
    for name, got in report["models"].items():
        recipe = nets.RECIPES[name]
        small, large = got["images600"], got["images10000"]
        lines += [
            f"### {got['file']}", "",
            f"- Architecture: {recipe.text}.",
            f"- Data: {'Fashion-MNIST' if recipe.data == 'fashion' else 'MNIST'}"
            f"{', half of the training images mirrored' if recipe.flip else ''}.",
            f"- Training: seed {recipe.seed}, {recipe.epochs} epochs, batch {recipe.batch}, Adam, "
            f"one-cycle rate up to {recipe.lr}.",
            f"- Accuracy: {100 * large['accuracy']:.2f} % of the 10,000 test images, "
            f"{100 * small['accuracy']:.2f} % ({small['correct']}) of the first 600.",
            f"- Form: {'after' if recipe.clean else 'as Brevitas writes it, without'} qonnx clean-up.",
            f"- File: {got['bytes']:,} bytes, sha256 `{got['sha256']}`.", ""]
    used = ", ".join(f"{k} {v}" for k, v in report["versions"].items())
    lines += [f"Accuracies are those of the exported files under the qonnx reference executor "
              f"(`qonnx.core.onnx_exec.execute_onnx`). Versions: {used}."]
    return "\n".join(lines)


def dump(report):
    """One row of logits per line: readable, and a change shows as one line."""
    rows = {}

    def hide(value):
        if isinstance(value, dict):
            return {k: hide(v) for k, v in value.items()}
        if isinstance(value, list) and value and isinstance(value[0], float):
            key = f"@{len(rows)}@"
            rows[key] = json.dumps(value)
            return key
        return [hide(v) for v in value] if isinstance(value, list) else value

    text = json.dumps(hide(report), indent=1)
    for key, row in rows.items():
        text = text.replace(f'"{key}"', row)
    return text + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, required=True)
    parser.add_argument("--fashion", type=Path, required=True)
    args = parser.parse_args()
    report = {
        "executor": "qonnx.core.onnx_exec.execute_onnx",
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "input": "float32 (1,1,28,28): byte / 255",
        "subsets": {**subset("mnist"), **subset("fashion")},
        "models": {name: measure(name, getattr(args, recipe.data))
                   for name, recipe in nets.RECIPES.items()},
    }
    (HERE / "expected.json").write_text(dump(report))
    text = figures(report)
    print(text)
    readme = HERE / "README.md"
    head, rest = readme.read_text().split(BEGIN)
    readme.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
