from __future__ import annotations

from datetime import timedelta

import pytest

from blendtune_api.v1alpha1 import Stage
from blendtune_operator.settings import GPU_PRESETS, Settings, SettingsError


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()
    assert set(GPU_PRESETS) == {"a100-80gb", "a100-40gb", "h100-80gb", "h200-141gb", "cpu"}


def test_everything_can_be_set() -> None:
    settings = Settings.from_environment(
        {
            "BLENDTUNE_TRAINER_IMAGE": "trainer:1",
            "BLENDTUNE_EVAL_IMAGE": "eval:1",
            "BLENDTUNE_GPU_PRESETS": '[{"name": "l40s", "nodeSelector": {"gpu": "l40s"}}]',
            "BLENDTUNE_ALLOWED_SERVICE_ACCOUNTS": "trainer, exporter",
            "BLENDTUNE_PLATFORM_USER": "true",
            "BLENDTUNE_BACKOFF_BASE_SECONDS": "0.5",
            "BLENDTUNE_BACKOFF_CAP_SECONDS": "60",
            "BLENDTUNE_GRACE_PERIOD_SECONDS": "120",
            "BLENDTUNE_PROGRESS_INTERVAL_SECONDS": "5",
            "BLENDTUNE_OBSTACLE_INTERVAL_SECONDS": "7",
            "BLENDTUNE_PATIENCE_SECONDS": "8",
        }
    )
    assert settings.image(Stage.TRAIN) == settings.image(Stage.BLEND) == "trainer:1"
    assert settings.image(Stage.EVAL) == "eval:1"
    assert settings.gpu_presets["l40s"].node_selector == {"gpu": "l40s"}
    assert "a100-80gb" in settings.gpu_presets
    assert settings.allowed_service_accounts == {"trainer", "exporter"}
    assert settings.platform_user
    assert settings.patience == timedelta(seconds=8)
    assert settings.backoff_base == timedelta(seconds=0.5)
    assert settings.grace_period == timedelta(minutes=2)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        pytest.param("*", None, id="any"),
        pytest.param("trainer,*", None, id="one and any"),
        pytest.param("", frozenset(), id="none"),
    ],
)
def test_service_accounts_may_be_any_or_none(text: str, allowed: frozenset[str] | None) -> None:
    settings = Settings.from_environment({"BLENDTUNE_ALLOWED_SERVICE_ACCOUNTS": text})
    assert settings.allowed_service_accounts == allowed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BLENDTUNE_BACKOFF_BASE_SECONDS", "soon"),
        ("BLENDTUNE_PLATFORM_USER", "maybe"),
        ("BLENDTUNE_GRACE_PERIOD_SECONDS", "0"),
        ("BLENDTUNE_GRACE_PERIOD_SECONDS", "nan"),
        ("BLENDTUNE_GPU_PRESETS", "not json"),
        ("BLENDTUNE_GPU_PRESETS", '[{"memoryBytes": 1}]'),
        ("BLENDTUNE_GPU_PRESETS", '{"name": "x"}'),
        ("BLENDTUNE_GPU_PRESETS", "7"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: value})
