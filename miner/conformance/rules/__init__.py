"""Rules beside a model: what a file says, and which cases keep to it."""
