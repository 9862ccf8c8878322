"""Blendtune's trainer: blends and packs the data, trains on it, exports the tuned model."""
