"""How events get in."""
