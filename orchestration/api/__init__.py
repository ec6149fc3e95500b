"""Runs, schedules, dependencies and the graph for machines."""
