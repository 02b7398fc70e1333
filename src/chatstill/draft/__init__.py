"""Drafts a first configuration from what can be seen in a data file and a model's folder."""
