"""Serving a DC-BERT: replies encoded once and kept in an index, and queries ranked against them.

Files are read by ``reply_file``, the network is opened by ``network``. ``held`` says what of a reply is kept
and how it is scored, ``numbers`` in which numbers. ``tensor_file`` is one file of an index, ``manifest`` the
list of them. ``change`` builds, adds, removes and compacts, by ``build``. ``index`` reads, ``ranker`` ranks.
``nearest`` finds candidates by their vectors, ``measure`` says what a smaller form costs.
"""
