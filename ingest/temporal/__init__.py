"""Temporal: how its records become events."""
