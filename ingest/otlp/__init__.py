"""OpenTelemetry and Jaeger: how its records become events."""
