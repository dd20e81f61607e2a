"""AWS Step Functions: how its records become events."""
