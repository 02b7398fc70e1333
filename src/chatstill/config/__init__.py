"""JSON -> a checked run: the first of the two reports, in well under a second, without torch."""

from .load import Loaded, load
from .schema import Architecture, RunConfig

__all__ = ["Architecture", "Loaded", "RunConfig", "load"]
