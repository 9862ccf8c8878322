"""Rows of the sources, as conversations."""
