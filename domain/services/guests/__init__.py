"""Virtual machines that are connected, and the spans that they send."""
