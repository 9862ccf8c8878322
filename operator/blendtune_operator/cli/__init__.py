"""The command `blendtune`: its commands, and what a person sees of them."""
