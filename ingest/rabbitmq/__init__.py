"""RabbitMQ: how its records become events."""
