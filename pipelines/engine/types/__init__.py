"""Types on their way: source → hub (DuckDB's words) → destination. Pure."""
