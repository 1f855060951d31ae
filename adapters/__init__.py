"""The world, one package per technology."""
