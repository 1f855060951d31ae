"""Virtual machines and what their agents tell of themselves: pure values."""
