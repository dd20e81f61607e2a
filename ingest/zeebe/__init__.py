"""Zeebe: how its records become events."""
