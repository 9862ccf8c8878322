"""The trainer image: blends and packs the data, trains a model on it and exports the tuned model."""
