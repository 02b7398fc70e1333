"""How two texts are cut to a room together, for every tokenizer alike."""


def longest_first(num_a: int, num_b: int, room: int) -> tuple[int, int]:
    """Lengths after cutting the longer text until both fit; an odd token goes to the longer.

    For ``num_a + num_b > room``; the same numbers as ``longest_first`` of transformers' fast tokenizers.
    """
    shorter = min(num_a, num_b)
    if 2 * shorter <= room:
        keep_short, keep_long = shorter, room - shorter
    else:
        keep_short, keep_long = room // 2, room - room // 2
    return (keep_long, keep_short) if num_a > num_b else (keep_short, keep_long)
