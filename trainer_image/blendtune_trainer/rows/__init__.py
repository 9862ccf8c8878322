"""Reads the rows of the sources as conversations."""
