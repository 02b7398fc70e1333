"""The sign that stands in a text where a word is unknown on purpose: no word list takes it in."""

UNKNOWN_SIGN = (
    "\u2370"  # a question mark in a box; segmenters keep it apart, word-pieces do not know it
)
