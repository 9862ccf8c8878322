"""Models, and what they answer."""
