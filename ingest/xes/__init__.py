"""XES: how its records become events."""
