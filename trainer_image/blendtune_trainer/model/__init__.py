"""The base model: its files, its memory and how it is loaded."""
