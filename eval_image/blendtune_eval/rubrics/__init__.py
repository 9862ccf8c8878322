"""Rubrics as files: how they are read, checked and imported."""
