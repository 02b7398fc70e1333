"""JSON -> a checked run: the first of the two reports, in well under a second, without torch."""

from .chain import Chain, Link, load_chain
from .load import Loaded, load
from .schema import Architecture, RunConfig

__all__ = ["Architecture", "Chain", "Link", "Loaded", "RunConfig", "load", "load_chain"]
