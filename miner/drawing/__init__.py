"""Graphs and maps as pictures: layout, SVG, PNG and self-contained pages."""
