"""Alerts for machines."""
