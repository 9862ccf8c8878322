"""What Argo CD needs to know of Blendtune, and an example repository."""
