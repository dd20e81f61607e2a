"""One module per process: who works on it, how a case runs, and what its log looks like."""
