"""The ranks of a training: how they start, communicate and end."""
