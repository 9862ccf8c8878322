"""Asks a model the questions of a rubric, scores the answers, and compares them with a baseline's."""
