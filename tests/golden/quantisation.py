"""Golden numbers for the element types of GGUF: random blocks, decoded by the reference implementation in numpy.

Made with Python 3.11, gguf 0.19.0, numpy 2.4.6:  python tests/golden/quantisation.py > tests/golden/quantisation.json
"""

import json

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

# Places of the half-precision scales (and minima) within a block; all other bytes are random.
SCALES = {
    T.F16: [0],
    T.BF16: [],
    T.Q4_0: [0],
    T.Q4_1: [0, 2],
    T.Q5_0: [0],
    T.Q5_1: [0, 2],
    T.Q8_0: [0],
    T.Q4_K: [0, 2],
    T.Q5_K: [0, 2],
    T.Q6_K: [208],
}

rng = np.random.default_rng(17)
cases = []
for kind, places in SCALES.items():
    n_elements, n_bytes = GGML_QUANT_SIZES[kind]
    n_blocks = max(1, 64 // n_elements)
    blocks = rng.integers(0, 256, size=(n_blocks, n_bytes), dtype=np.uint8)
    for place in places:
        scales = rng.normal(0, 0.02, size=n_blocks).astype("<f2")
        blocks[:, place : place + 2] = scales.view(np.uint8).reshape(n_blocks, 2)
    if kind == T.BF16:
        blocks = (rng.normal(size=n_blocks).astype("<f4").view("<u4") >> 16).astype("<u2").view(np.uint8).reshape(n_blocks, 2)
    values = dequantize(blocks.reshape(-1), kind) if kind != T.F16 else blocks.reshape(-1).view("<f2").astype("<f4")
    # A 32-bit float is named exactly by nine digits.
    numbers = [float(f"{x:.9g}") for x in np.asarray(values, dtype=np.float32).reshape(-1)]
    cases.append({"type": int(kind), "name": kind.name, "bytes": blocks.tobytes().hex(), "values": numbers})

print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")
