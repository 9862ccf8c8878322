"""What a training needs: memory per GPU, number of GPUs, time and disk. Pure arithmetic on a model's shape.

All sizes are in bytes, and a GB is 10^9 of them. docs/sizing.md gives each formula and its source.
"""
