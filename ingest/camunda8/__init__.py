"""Camunda 8: how its records become events."""
