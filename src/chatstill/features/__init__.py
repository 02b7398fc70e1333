"""What is kept of a forward pass: ``base`` names it, ``capture`` takes it."""

from .base import Features, Needs, QueryKeyValue

__all__ = ["Features", "Needs", "QueryKeyValue"]
