"""What the rules find in the words of an answer."""
