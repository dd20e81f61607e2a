"""Apache Kafka: how its records become events."""
