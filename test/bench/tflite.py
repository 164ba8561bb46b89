"""Makes the .tflite files that LiteRT.js runs from the ONNX files of the benchmark: float32, and 8-bit with float inputs and outputs.

    pip install -r requirements.txt
    python tflite.py --models DIR --output DIR [--only mlp,lenet5] [--batches 1,10,100]

The network is written again in TensorFlow with the ONNX file's weights, channels last, as a TFLite user would have it: the
converter fuses bias and ReLU. One file a batch, since LiteRT.js takes no free dimension. The 8-bit files are quantized by
TFLite's own converter, calibrated on the golden inputs and mixtures of them. The benchmark compares every file's outputs
with the golden ones before it times it. Not here: any timing, and any use by the product.
"""
import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def channels_last(x):
    return np.ascontiguousarray(np.transpose(x, (0, 2, 3, 1))) if x.ndim == 4 else x


def padding_of(node, shape):
    """'SAME' or 'VALID'; the files of the benchmark have no other padding."""
    a = attributes(node)
    pads, kernel, strides = a.get("pads", [0, 0, 0, 0]), a["kernel_shape"], a["strides"]
    if not any(pads):
        return "VALID"
    for i in (0, 1):
        size = shape[1 + i]
        total = max((-(-size // strides[i]) - 1) * strides[i] + kernel[i] - size, 0)
        if (pads[i], pads[2 + i]) != (total // 2, total - total // 2):
            raise SystemExit(f"{node.name or node.output[0]}: padding {pads} is neither SAME nor VALID")
    return "SAME"


def apply(node, weights, values, spatial):
    """One ONNX node as TensorFlow operators; `spatial` remembers channels-last shapes before Flatten."""
    a = attributes(node)
    x = values[node.input[0]]
    if node.op_type == "Gemm":
        w = weights[node.input[1]].T if a.get("transB") else weights[node.input[1]]
        shape = spatial.get(node.input[0])
        if shape:  # ONNX flattened channels first
            h, width, c = shape
            w = w.reshape(c, h, width, -1).transpose(1, 2, 0, 3).reshape(h * width * c, -1)
        return tf.nn.bias_add(tf.matmul(x, tf.constant(w)), tf.constant(weights[node.input[2]]))
    if node.op_type == "Conv":
        w, padding, strides = weights[node.input[1]], padding_of(node, x.shape), a["strides"]
        if a["group"] > 1:
            y = tf.nn.depthwise_conv2d(x, tf.constant(w.transpose(2, 3, 0, 1)), [1, *strides, 1], padding)
        else:
            y = tf.nn.conv2d(x, tf.constant(w.transpose(2, 3, 1, 0)), [1, *strides, 1], padding)
        return tf.nn.bias_add(y, tf.constant(weights[node.input[2]]))
    if node.op_type == "Relu":
        return tf.nn.relu(x)
    if node.op_type == "Add":
        return tf.add(x, values[node.input[1]])
    if node.op_type == "MaxPool":
        return tf.nn.max_pool2d(x, a["kernel_shape"], a["strides"], "VALID")
    if node.op_type == "GlobalAveragePool":
        return tf.reduce_mean(x, [1, 2], keepdims=True)
    if node.op_type == "Flatten":
        if x.shape[1] * x.shape[2] > 1:
            spatial[node.output[0]] = tuple(x.shape[1:])
        return tf.reshape(x, [x.shape[0], -1])
    if node.op_type == "Softmax":
        return tf.nn.softmax(x)
    raise SystemExit(f"{node.op_type}: no rule for this operator")


def function_of(graph, shape):
    weights = {i.name: numpy_helper.to_array(i) for i in graph.initializer}

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
    def network(x):
        values, spatial = {graph.input[0].name: x}, {}
        for node in graph.node:
            values[node.output[0]] = apply(node, weights, values, spatial)
        return values[graph.output[0].name]

    return network


def calibration(golden, batch):
    """Golden inputs, and seeded convex mixtures of two of them."""
    random = np.random.default_rng(1)
    rows = [golden[i % len(golden)] for i in range(max(batch, len(golden)))]
    for _ in range(max(60, batch)):
        i, j = random.integers(len(golden), size=2)
        t = random.random(dtype=np.float32)
        rows.append(t * golden[i] + (1 - t) * golden[j])
    rows = np.stack(rows[: len(rows) // batch * batch])
    for i in range(0, len(rows), batch):
        yield [rows[i:i + batch]]


def convert(network, golden, batch, quantized):
    concrete = network.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if quantized:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: calibration(golden, batch)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter.convert()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--batches", default="1,10,100")
    arguments = parser.parse_args()
    os.makedirs(arguments.output, exist_ok=True)
    only = [n for n in arguments.only.split(",") if n]
    names = sorted(f[: -len(".f32.onnx")] for f in os.listdir(arguments.models) if f.endswith(".f32.onnx"))
    for name in [n for n in names if not only or n in only]:
        graph = onnx.load(os.path.join(arguments.models, f"{name}.f32.onnx")).graph
        archive = np.load(os.path.join(arguments.models, f"{name}.golden.npz"))
        golden = channels_last(archive["x"])
        for batch in map(int, arguments.batches.split(",")):
            network = function_of(graph, (batch, *golden.shape[1:]))
            for kind, quantized in (("f32", False), ("i8", True)):
                path = os.path.join(arguments.output, f"{name}.{kind}.b{batch}.tflite")
                data = convert(network, golden, batch, quantized)
                with open(path + ".part", "wb") as file:
                    file.write(data)
                os.replace(path + ".part", path)
                print(f"{os.path.basename(path)} {len(data)} bytes", flush=True)


main()
