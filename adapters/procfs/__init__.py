"""Discovery of containers through procfs."""
