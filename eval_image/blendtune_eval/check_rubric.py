"""The check of a rubric, before a run trains and for rubric authors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from blendtune_api.contract import RubricResult, RunConfig, workspace
from blendtune_api.v1alpha1 import Role
from blendtune_eval.rubric import Rubric
from blendtune_eval.rubrics.entries import InvalidRubric
from blendtune_eval.rubrics.reference import load_rubric
from blendtune_runtime.errors import BadRubric
from blendtune_runtime.files import write_json
from blendtune_runtime.program import load_config


def check_run_rubric(environment: Mapping[str, str]) -> RubricResult:
    """Checks the rubric of a run and leaves it in the workspace.

    Raises BadRubric with every fault; BadConfiguration where configuration or rubric are not mounted.
    """
    config, claims = load_config(RunConfig, environment)
    rubric = load_rubric(config.spec.evaluation.rubric, environment)
    path = workspace(claims, config.spec.storage, config.namespace, config.name).rubric
    write_json(path, rubric.as_json() | {"digest": rubric.digest})
    return announce(rubric)


def check_alone(load: Callable[[], Rubric]) -> Rubric:
    """Checks a rubric outside of any run. Raises BadRubric with every fault."""
    try:
        return load()
    except InvalidRubric as error:
        raise BadRubric(str(error)) from error


def announce(rubric: Rubric) -> RubricResult:
    """Prints what the rubric consists of, and returns it as the result of the check."""
    domains = Counter(question.domain for question in rubric.questions)
    result = RubricResult(
        name=rubric.name,
        digest=rubric.digest,
        general=domains[Role.GENERAL],
        in_domain=domains[Role.IN_DOMAIN],
    )
    print(
        f"rubric {rubric.name} {rubric.version}: {len(rubric.questions)} questions in "
        f"{len(rubric.categories)} categories, {len(rubric.wordings)} wordings, digest {rubric.digest[:12]}",
        flush=True,
    )
    return result
