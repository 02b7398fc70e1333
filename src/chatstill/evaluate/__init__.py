"""Scoring a network, and measuring its speed and size."""
