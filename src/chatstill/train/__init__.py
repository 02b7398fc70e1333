"""The engine: one Trainer for every method, checkpoints that are complete or absent, the run folder."""
