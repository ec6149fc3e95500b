"""Connections, connector types and files over REST."""
