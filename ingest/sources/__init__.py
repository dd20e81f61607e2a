"""One module per system or format."""
