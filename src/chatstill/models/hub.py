"""The Hugging Face hub: what a user is told when it cannot be reached or refuses; quiet loading."""

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub.errors import HfHubHTTPError
from transformers.utils import logging

from ..disk.full import is_full
from ..errors import UserError
from ..registry.hub import hub_problem


@contextmanager
def hub_errors(name: str, place: str) -> Iterator[None]:
    """Turns a failure to fetch ``name`` into a ``UserError`` that says how to go on without."""
    try:
        yield
    except (OSError, ValueError, HfHubHTTPError) as error:
        if is_full(error):
            raise
        raise UserError(hub_problem(name, place, error)) from error


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
