"""The story of a run, top to bottom: run, job, train, results; and what stands beside it."""
