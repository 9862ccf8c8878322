"""The processes of a training, on all nodes: how they start, agree and end."""
