"""Writes ONNX's own operator test cases: FOLDER/CASE/model.onnx, input_I.pb, output_I.pb.

Usage: onnx_node_cases.py FOLDER OPERATOR [OPERATOR ...]
Only cases all of whose nodes are among the operators, and whose values are tensors. Needs onnx and numpy.
"""

import os
import sys
import warnings

warnings.simplefilter("ignore")

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

folder, operators = sys.argv[1], set(sys.argv[2:])
for case in collect_testcases():
    if case.model is None or not case.data_sets or any(n.op_type not in operators or n.domain for n in case.model.graph.node):
        continue
    inputs, outputs = case.data_sets[0]
    if any(isinstance(value, (list, dict)) or value is None for value in (*inputs, *outputs)):
        continue
    target = os.path.join(folder, case.name)
    os.makedirs(target)
    onnx.save(case.model, os.path.join(target, "model.onnx"))
    for kind, values in (("input", inputs), ("output", outputs)):
        for i, value in enumerate(values):
            tensor = value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value))
            with open(os.path.join(target, f"{kind}_{i}.pb"), "wb") as file:
                file.write(tensor.SerializeToString())
