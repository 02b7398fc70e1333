"""Texts to ids: tokenizers, their vocabularies, and how a row is cut to length."""
