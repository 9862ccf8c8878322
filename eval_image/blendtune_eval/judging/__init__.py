"""Judges, which say for each answer what criteria it meets."""
