"""Use cases: they call the ports and the model, in the right order."""
