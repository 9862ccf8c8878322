"""Judges, which decide which criteria an answer meets."""
