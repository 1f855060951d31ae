"""Programs: they read settings, wire adapters to the domain, and serve."""
