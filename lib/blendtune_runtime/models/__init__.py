"""The files of a model, and how they are downloaded."""
