"""Records the values of MLX that oracle.test.ts replays. README.md says how to run it.

    python test/oracle/record.py [area ...]
"""

import importlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from recorder.shard import Shard  # noqa: E402

AREAS = [
    "creation", "unary", "binary", "promotion", "reduction", "scan", "shape", "indexing", "sorting", "linear",
    "random", "printing", "activations", "losses", "layers", "optimizers", "fast", "transforms", "quantization",
    "linalg",
]  # fmt: skip

if __name__ == "__main__":
    for area in sys.argv[1:] or AREAS:
        shard = Shard(area)
        importlib.import_module(f"recorder.{area}").record(shard)
        shard.write(pathlib.Path(__file__).parent / "recorded")
