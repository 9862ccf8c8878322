"""The children of a run, as a cluster would get them."""

from __future__ import annotations

from blendtune_api import codec
from blendtune_api.v1alpha1 import RubricEval
from blendtune_operator import render
from blendtune_operator.local.settings import local_settings
from blendtune_operator.names import Kind, Object, Run


def children(run: Run) -> list[Object]:
    """Every child of the run and of its RubricEval, for kubectl: without owners, which have no UID yet."""
    result = []
    for child in render.children(run, local_settings()):
        child["metadata"].pop("ownerReferences", None)
        result.append(child)
        if child["kind"] == Kind.RUBRIC_EVAL:
            evaluation = codec.decode_object(child)
            assert isinstance(evaluation, RubricEval)
            result += children(evaluation)
    return result
