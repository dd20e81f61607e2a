"""The event log: the data model, the store, and what is derived from it."""
