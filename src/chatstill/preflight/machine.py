"""Can this machine run the precision and the launcher that were asked for."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.schema import RunConfig
from ..disk.json_file import read_json
from ..errors import Problem
from ..train.device import device_of
from ..train.precision import precision_of


def check_machine(config: RunConfig) -> list[Problem]:
    """Precision and launcher."""
    kinds = {"fp16": config.fp16, "bf16": config.bf16}
    problems = check_precision(**kinds, device=device_of(config).type)
    precision = precision_of(**kinds)
    return problems + check_launcher(config.training_arguments, os.environ, precision=precision)


def check_precision(
    *, fp16: bool, bf16: bool, device: str, native: bool | None = None
) -> list[Problem]:
    """fp16 needs a GPU; bf16 is worth it only where the device multiplies in it.

    Args:
        fp16: Asked for.
        bf16: Asked for.
        device: Device type: ``cpu``, ``cuda`` ...
        native: Whether the device has bf16 units; None looks.
    """
    problems = []
    if fp16 and bf16:
        problems.append(
            Problem(
                "fp16, bf16", "both are set", "Choose one of them.", code="machine.two-precisions"
            )
        )
    if fp16 and device == "cpu":
        message = "half precision needs a GPU, and this run is on the CPU"
        problems.append(
            Problem("fp16", message, "Set fp16 to false.", code="machine.half-precision-on-the-cpu")
        )
    if bf16 and not (native_bf16(device) if native is None else native):
        slower = "many times slower" if device == "cpu" else "slower"
        message = f"this device ({device}) only emulates bf16: {slower} and less exact than float32"
        problems.append(
            Problem("bf16", message, "Set bf16 to false.", "warning", code="machine.bf16-emulated")
        )
    return problems


def native_bf16(device: str) -> bool:
    """Whether the device multiplies matrices in bf16 itself rather than by conversion."""
    import torch

    if device == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if device == "cpu":
        return bool({"avx512_bf16", "amx_bf16", "bf16"} & _cpu_features())
    return device in ("xpu", "tpu", "hpu", "npu")


def _cpu_features() -> set[str]:
    """Names of bf16 units: from torch where it tells, else from the kernel's list."""
    import torch

    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        return {name for name, present in capabilities().items() if present is True}
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    return set(text.split())


def check_launcher(
    training_arguments: Mapping[str, Any], environ: Mapping[str, str], *, precision: str = "float32"
) -> list[Problem]:
    """What `accelerate launch` was given: DeepSpeed ZeRO-3 is refused, another precision is told.

    Args:
        training_arguments: That block of the configuration.
        environ: The process's environment.
        precision: The run's: ``float32``, ``bf16`` or ``fp16``. It holds, whatever the launcher says.
    """
    places = []
    launched = environ.get("ACCELERATE_MIXED_PRECISION", "no").lower()
    told = []
    if launched not in ("", "no", precision):
        message = f"asked for {launched}, and the run is one in {precision}, as its file says"
        hint = f'Write "{launched}": true into the file.' if launched in ("bf16", "fp16") else ""
        place = "accelerate launch: mixed precision"
        told.append(Problem(place, message, hint, "warning", code="machine.launcher-precision"))
    if training_arguments.get("deepspeed"):
        stage = _stage(training_arguments["deepspeed"])
        places.append(("training_arguments.deepspeed", stage))
    if environ.get("ACCELERATE_USE_DEEPSPEED", "").lower() in ("true", "1", "yes"):
        file = environ.get("ACCELERATE_DEEPSPEED_CONFIG_FILE", "")
        plain = environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "")
        stage = _stage(file) if file and file != "none" else int(plain) if plain.isdigit() else None
        places.append(("accelerate launch: DeepSpeed", stage))
    return [*told, *(_judge(place, stage) for place, stage in places)]


def _judge(place: str, stage: int | None) -> Problem:
    hint = "Start it with `torchrun`, `accelerate launch` with DDP or FSDP2, or plain `python`."
    if stage == 3:
        return Problem(place, "DeepSpeed ZeRO-3 is not supported yet", hint, code="machine.zero-3")
    if stage is None:
        message = "the ZeRO stage cannot be read, and ZeRO-3 is not supported yet"
        return Problem(place, message, hint, code="machine.zero-stage-not-told")
    return Problem(
        place,
        f"DeepSpeed (ZeRO stage {stage}) is untested",
        hint,
        "warning",
        code="machine.deepspeed-untested",
    )


def _stage(setting: Any) -> int | None:
    """The ZeRO stage of a DeepSpeed setting: a mapping, or the path of a JSON file."""
    if isinstance(setting, str):
        try:
            setting = read_json(Path(setting))
        except (OSError, ValueError):
            return None
    if not isinstance(setting, Mapping):
        return None
    zero = setting.get("zero_optimization", {})
    stage = zero.get("stage", 0) if isinstance(zero, Mapping) else None
    return stage if isinstance(stage, int) else None
