"""The rubric that a run names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from blendtune_api.contract import Env
from blendtune_api.v1alpha1 import RubricReference
from blendtune_eval.rubric import Rubric
from blendtune_eval.rubrics.entries import InvalidRubric
from blendtune_eval.rubrics.loader import load_builtin, load_file
from blendtune_runtime.errors import BadConfiguration, BadRubric


def load_rubric(reference: RubricReference, environment: Mapping[str, str]) -> Rubric:
    """The user's rubric where the environment names its file, else the built-in one of the reference.

    Before its questions stand the general ones that the reference takes from another built-in rubric.

    Raises BadRubric where it is faulty or unknown; BadConfiguration where the user's file is not mounted.
    """
    general_from = reference.general_from or ""
    try:
        if path := environment.get(Env.RUBRIC):
            return load_file(Path(path), general_from)
        if reference.builtin is not None:
            return load_builtin(reference.builtin, general_from)
    except InvalidRubric as error:
        raise BadRubric(str(error)) from error
    selector = reference.config_map_ref
    named = f"ConfigMap {selector.name}, key {selector.key}" if selector else "nothing"
    raise BadConfiguration(f"the rubric is in {named}, but {Env.RUBRIC} names no file: mount it there")
