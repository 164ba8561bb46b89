"""Checks exported files against their originals with ONNX's and QONNX's own tools.

Usage: compare_models.py ORIGINAL EXPORTED [ORIGINAL EXPORTED ...]
Prints one line a pair: "ok NAME largest_error" or "fail NAME reason". Needs onnx, onnxruntime, qonnx and numpy.
"""

import contextlib
import io
import sys
import warnings

import numpy as np
import onnx
import onnxruntime

import versions  # noqa: F401

warnings.simplefilter("ignore")
QONNX = {"qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general", "finn"}


def run(model, feeds):
    if any(n.domain in QONNX for n in model.graph.node):
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.util.cleanup import cleanup_model

        with contextlib.redirect_stdout(io.StringIO()):
            wrapper = cleanup_model(ModelWrapper(model))
            names = [i.name for i in wrapper.graph.input]
            found = execute_onnx(wrapper, dict(zip(names, feeds.values())))
        return [found[o.name] for o in wrapper.graph.output]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, feeds)


def inputs_of(model):
    """Seeded inputs by name, integers where they are annotated; symbolic dimensions are 1."""
    constants = {t.name for t in model.graph.initializer}
    annotated = {a.tensor_name for a in model.graph.quantization_annotation}
    generator = np.random.default_rng(1)
    feeds = {}
    for value in model.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        shape = [d.dim_value or 1 for d in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        real = dtype == np.float32 and value.name not in annotated
        drawn = generator.uniform(0, 1, shape) if real else generator.integers(0, 2, shape)
        feeds[value.name] = drawn.astype(dtype)
    return feeds


def compare(original_path, exported_path):
    original, exported = onnx.load(original_path), onnx.load(exported_path)
    if not any(n.domain in QONNX for n in exported.graph.node):
        onnx.checker.check_model(exported, full_check=True)
    feeds = inputs_of(original)
    error = 0.0
    for a, b in zip(run(original, feeds), run(exported, feeds), strict=True):
        if a.shape != b.shape:
            raise ValueError(f"shapes {a.shape} and {b.shape}")
        error = max(error, float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)), initial=0)))
    return error


for i in range(1, len(sys.argv), 2):
    name = sys.argv[i].replace("\\", "/").split("shared/data/")[-1]
    try:
        print("ok", name, compare(sys.argv[i], sys.argv[i + 1]), flush=True)
    except Exception as problem:  # any failure of the peers is a finding, not a crash
        print("fail", name, " ".join(str(problem).split())[:300], flush=True)
