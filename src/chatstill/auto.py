"""Makes the package's own networks known to transformers' automatic classes: import it, no more.

Afterwards ``AutoModelForSequenceClassification``, ``AutoTokenizer`` and ``pipeline`` take their folders.
"""

from transformers import AutoTokenizer

from .models.custom import register_networks
from .models.networks import networks

register_networks()
for _network in networks().values():
    _config, _tokenizer = _network.classes()[0], _network.tokenizer_class()
    AutoTokenizer.register(_config, slow_tokenizer_class=_tokenizer, exist_ok=True)
