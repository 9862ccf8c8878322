"""A model's files: which they are, and how they are downloaded."""
