"""The terms of a distillation loss as rows: what a method file says, and what a step computes of it."""
