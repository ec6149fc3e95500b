"""Read by dbt."""

version = "0.1.0"
