"""Holds out validation examples, blends the others to the declared shares and packs them into bins."""
