"""chatstill: distils and compresses chat and language-understanding models."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .deploy.ranker import Ranker as Ranker

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """``chatstill.Ranker``: torch is loaded only where it is asked for."""
    if name == "Ranker":
        from .deploy.ranker import Ranker

        return Ranker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
