"""What a token costs, and how much of the GPUs' arithmetic a training uses."""

from __future__ import annotations


def flops_per_token(parameters: int, layers: int, hidden_size: int, sequence_length: int) -> float:
    """FLOPs of one token, forward and backward: 6N + 12 L h s (arXiv 2204.02311, appendix B).

    With s the length of a bin it overstates attention where bins hold several examples; recomputed
    activations are not counted.
    """
    return 6 * parameters + 12 * layers * hidden_size * sequence_length


def model_flops_utilisation(
    tokens_per_second_per_gpu: float | None, token_flops: float, peak_flops: float | None
) -> float | None:
    """Share of a GPU's peak, 0..1; None where the speed or the peak is unknown."""
    if tokens_per_second_per_gpu is None or peak_flops is None:
        return None
    return tokens_per_second_per_gpu * token_flops / peak_flops
