"""Examples to batches: prepared views, padding, the order of rows, and loading steps."""
