"""Camunda 7, Operaton, CIB seven: how its records become events."""
