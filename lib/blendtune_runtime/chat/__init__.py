"""Renders conversations with chat templates, in the same way for training and for evaluation."""
