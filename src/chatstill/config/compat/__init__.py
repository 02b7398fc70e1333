"""What serves old files and other programs' words alone."""
