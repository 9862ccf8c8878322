"""A judge is told from the models it judges by name."""

from __future__ import annotations

import pytest

from blendtune_core.judging import is_same_model


@pytest.mark.parametrize(
    ("judge", "uri", "same"),
    [
        pytest.param("lmsys/vicuna-13b-v1.3", "hf://lmsys/vicuna-13b-v1.3", True, id="hub-name"),
        pytest.param("LMSYS/Vicuna-13B-v1.3", "hf://models/lmsys/vicuna-13b-v1.3@main", True, id="revision"),
        pytest.param("vicuna-13b-v1.3", "hf://lmsys/vicuna-13b-v1.3", True, id="last-part"),
        pytest.param("TheBloke/vicuna-13b-v1.3", "hf://lmsys/vicuna-13b-v1.3", True, id="other-owner"),
        pytest.param("/models/vicuna/", "pvc://shared/models/vicuna", True, id="folder"),
        pytest.param("ns/ads/model", "pvc://ns/ads/model", True, id="whole-path"),
        pytest.param("model", "pvc://blendtune/ns/ads/model", False, id="a-name-of-any-model"),
        pytest.param("gpt-4o", "hf://lmsys/vicuna-13b-v1.3", False, id="another"),
        pytest.param("vicuna-33b-v1.3", "hf://lmsys/vicuna-13b-v1.3", False, id="another-size"),
        pytest.param("vicuna", "s3://models/vicuna-13b", False, id="a-prefix"),
    ],
)
def test_is_same_model(judge: str, uri: str, same: bool) -> None:
    assert is_same_model(judge, uri) is same
