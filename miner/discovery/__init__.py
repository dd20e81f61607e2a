"""What the process looks like: paths, variants, models."""
