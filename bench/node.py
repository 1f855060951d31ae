"""What tracing costs on this machine, as ratios within one run."""
