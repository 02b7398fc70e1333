"""BERT-of-Theseus: a host whose layers are modules of predecessor and successor."""
