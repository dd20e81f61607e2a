"""Apache Airflow: how its records become events."""
