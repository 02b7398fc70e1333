"""The terms of a distillation loss: rows of a method file, and how a step computes them."""
