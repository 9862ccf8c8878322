"""The children of a run: one pure function each, returning the whole object."""

from __future__ import annotations

from blendtune_api.v1alpha1 import BlendedFineTune, ModelStatus
from blendtune_operator.gang import choose
from blendtune_operator.names import Object, Run
from blendtune_operator.render.blend_job import blend_job
from blendtune_operator.render.config import eval_config, pin_eval, pin_run, run_config
from blendtune_operator.render.eval_job import eval_job
from blendtune_operator.render.rehearse_job import rehearse_job
from blendtune_operator.render.rubric_eval import rubric_eval
from blendtune_operator.render.training import training
from blendtune_operator.render.uris import model_uri
from blendtune_operator.settings import Settings

__all__ = [
    "blend_job",
    "children",
    "eval_config",
    "eval_job",
    "rehearse_job",
    "rubric_eval",
    "run_config",
    "training",
]


def children(run: Run, settings: Settings) -> tuple[Object, ...]:
    """The children of a run that is never retried nor edited, in the order in which they are created.

    The RubricEval of a BlendedFineTune has no model digest and no models of earlier epochs: only the training
    knows them.
    Raises KeyError for a gpuType that the settings do not know.
    """
    if isinstance(run, BlendedFineTune):
        pinned = pin_run(run, settings, choose(settings.gang or run.spec.cluster.gang, None))
        uri = model_uri(run.spec.storage, run.metadata.namespace, run.metadata.name)
        rehearsal = (rehearse_job(run, pinned, 1, settings),) if run.spec.blend.self_sources else ()
        return (
            run_config(run, pinned),
            *rehearsal,
            blend_job(run, pinned, 1, settings),
            *training(run, pinned, 1, settings),
            rubric_eval(run, pinned, ModelStatus(uri=uri, digest=""), ()),
        )
    evaluation = pin_eval(run, settings)
    return eval_config(run, evaluation), eval_job(run, evaluation, 1, settings)
