"""Files as this package writes and reads them: whole or absent, never through a link, JSON within bounds."""
