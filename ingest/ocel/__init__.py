"""OCEL: how its records become events."""
