"""The base model: where it comes from, what it needs, and how it is loaded."""
