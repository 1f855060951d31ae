"""What tracing costs on this machine, beside what other tools cost, in one run."""
