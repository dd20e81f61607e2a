"""Dashboards: what people look at."""
