"""Runs on a corpus: their parts, plan, training and results."""
