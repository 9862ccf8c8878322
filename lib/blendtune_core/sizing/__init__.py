"""What a training needs: memory per GPU, number of GPUs, time and disk. Pure arithmetic on a model's shape.

All sizes are in bytes; a GB is 10^9 bytes. docs/sizing.md has every formula with its source. A parameter
called `element` is the size of a parameter and of an activation: 2 bytes in 16 bits, 4 in fp32.
"""
