"""One file per method; the directory is the registry (see ``chatstill.lookup``)."""
