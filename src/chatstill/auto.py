"""Makes the package's own networks known to transformers' automatic classes: import it, no more.

Afterwards ``AutoModelForSequenceClassification``, ``AutoTokenizer`` and ``pipeline`` take their folders.
"""

from transformers import AutoTokenizer

from .models.custom import register_networks
from .models.networks import networks
from .text.word_tokenizer import WordTokenizer

register_networks()
for _network in networks().values():
    AutoTokenizer.register(_network.classes()[0], slow_tokenizer_class=WordTokenizer, exist_ok=True)
