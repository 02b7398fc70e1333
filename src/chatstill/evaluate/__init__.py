"""Scores, agreement with the teacher, speed and size."""
