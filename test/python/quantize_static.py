"""Accuracy of onnxruntime's static quantization and of other files, on the same labelled inputs.

Usage: quantize_static.py FLOAT.onnx CALIBRATION.npy INPUTS.npy LABELS.npy [FILE.onnx ...]
Quantizes FLOAT with the calibration data (unsigned activations, signed weights per channel, ranges by minimum and maximum),
then prints one line each for "float", "static" and every FILE (QONNX by qonnx's executor, all else by onnxruntime):
"NAME ACCURACY" in per cent. The outputs of every FILE are saved as FILE.npy. Needs onnx, onnxruntime, qonnx and numpy.
"""

import contextlib
import io
import os
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import versions  # noqa: F401
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

warnings.simplefilter("ignore")
onnxruntime.set_default_logger_severity(3)


class Reader(CalibrationDataReader):
    def __init__(self, name, data):
        self.batches = iter([{name: data[i : i + 64]} for i in range(0, len(data), 64)])

    def get_next(self):
        return next(self.batches, None)


def outputs(path, data):
    model = onnx.load(path)
    shape = [-1] + [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    data = data.reshape(shape)
    name = model.graph.input[0].name
    if any(n.domain.startswith("qonnx") for n in model.graph.node):
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.util.cleanup import cleanup_model

        with contextlib.redirect_stdout(io.StringIO()):
            model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = len(data)
            wrapper = cleanup_model(ModelWrapper(model))
            found = execute_onnx(wrapper, {wrapper.graph.input[0].name: data})[wrapper.graph.output[0].name]
    else:
        found = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {name: data})[0]
    return found


float_path, calibration_path, inputs_path, labels_path, *files = sys.argv[1:]
model = onnx.load(float_path)
first = model.graph.input[0]
shape = [-1] + [d.dim_value for d in first.type.tensor_type.shape.dim][1:]
calibration = np.load(calibration_path).astype(np.float32).reshape(shape)
inputs, labels = np.load(inputs_path).astype(np.float32), np.load(labels_path)
with tempfile.TemporaryDirectory() as folder:
    static_path = os.path.join(folder, "static.onnx")
    quantize_static(
        float_path, static_path, Reader(first.name, calibration), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax,
    )
    for label, path in [("float", float_path), ("static", static_path), *[(os.path.basename(f), f) for f in files]]:
        found = outputs(path, inputs)
        if path in files:
            np.save(path + ".npy", found)
        print(label, round(100.0 * float(np.mean(np.argmax(found, axis=-1) == labels)), 3), flush=True)
