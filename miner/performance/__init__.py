"""Where time and quality go."""
