"""More training rows: TinyBERT's data augmentation, and the rules of the distilled BiLSTM."""
