"""Model FLOPs utilisation (MFU)."""

from __future__ import annotations


def model_flops_utilisation(
    tokens_per_second_per_gpu: float | None, token_flops: float, peak_flops: float | None
) -> float | None:
    """Model FLOP/s as a fraction, 0 to 1, of a GPU's peak. None if the speed or the peak is unknown."""
    if tokens_per_second_per_gpu is None or peak_flops is None:
        return None
    return tokens_per_second_per_gpu * token_flops / peak_flops
