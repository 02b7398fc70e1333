"""chatstill: distils and compresses chat and language-understanding models."""

__version__ = "0.1.0"
