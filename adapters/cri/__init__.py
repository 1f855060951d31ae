"""Container runtimes, asked through the CRI."""
