"""Parts of speech of English words by TextBlob's lexicon, which its package holds: pip install textblob.

python benchmarks/augmentation.py --sets sst2-bilstm --tagger english_tags:tag
"""

from collections.abc import Sequence


def tag(words: Sequence[str]) -> list[str]:
    """The Penn Treebank tag of each word of a text.

    Raises:
        ValueError: the tagger cut the words otherwise.
    """
    from textblob.en import tag as tags_of  # type: ignore[import-not-found, unused-ignore]

    found = [part for _, part in tags_of(" ".join(words), tokenize=False)] if words else []
    if len(found) != len(words):
        raise ValueError(f"{len(found)} tags for {len(words)} words")
    return found
