"""Writes a safetensors file of every float type, and its values as text: write_safetensors.py FILE LISTING"""
import json
import sys

import numpy as np
from safetensors.numpy import save_file

special = [0.0, -0.0, 1.0, -1.5, 65504.0, 6e-8, 6.1e-5, -2.5e-7, np.inf, -np.inf, np.nan, 0.1]
tensors = {
    "half": np.array(special, np.float16).reshape(3, 4),
    "single": np.array([*special, 1e-45, 3.4e38], np.float32),
    "double": np.array([*special, 1 / 3, 1e-300], np.float64).reshape(2, 7),
    "scalar": np.array(2.5, np.float32),
    "empty": np.zeros((0, 3), np.float32),
}
save_file(tensors, sys.argv[1], metadata={"made": "for a test"})
with open(sys.argv[2], "w") as out:
    json.dump({name: {"shape": list(t.shape), "values": [repr(float(v)) for v in t.flatten()]} for name, t in tensors.items()}, out)
