"""JSON APIs: how its records become events."""
