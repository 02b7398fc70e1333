"""The Hugging Face hub: what a user is told when it cannot be reached; quiet loading."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub.errors import HfHubHTTPError
from transformers.utils import logging

from ..errors import Problem, UserError


@contextmanager
def hub_errors(name: str, place: str) -> Iterator[None]:
    """Turns a failure to fetch ``name`` into a ``UserError`` that says how to go on without."""
    try:
        yield
    except (OSError, ValueError, HfHubHTTPError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0] if lines else type(error).__name__
        endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
        offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
        state = "HF_HUB_OFFLINE is set" if offline else f"asked {endpoint}"
        raise UserError(
            Problem(
                place,
                f"{name} is no folder here and could not be had from the hub ({state}): {reason}",
                "Put config.json, model.safetensors and the tokenizer's files into a folder "
                f"(such as ./{name}) "
                "and name it; or set HF_ENDPOINT to a mirror you can reach; or fetch it once "
                "with a connection "
                "(HF_TOKEN for private models) and run with HF_HUB_OFFLINE=1.",
            )
        ) from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silences transformers' own report and progress bars of loading; ours says it in a line."""
    verbosity = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
