"""Clocks and other services of the operating system."""
