"""Django's PostgreSQL backend that tells the server whose rows a query may see."""
