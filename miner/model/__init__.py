"""Process models, and the formats they are written in."""
