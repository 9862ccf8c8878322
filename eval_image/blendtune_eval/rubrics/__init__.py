"""Rubrics as files: read, checked, written and imported."""
