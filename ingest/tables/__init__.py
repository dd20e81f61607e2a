"""Tables of events in files: how its records become events."""
