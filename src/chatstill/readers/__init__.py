"""What a network reads of a row."""
