"""The blend Job: checks the rubric, then collects, templates, blends, packs and sizes, on CPU."""

from __future__ import annotations

from collections.abc import Mapping

from blendtune_api.contract import RunConfig
from blendtune_api.v1alpha1 import BlendedFineTune, BlendedFineTuneSpec, Stage
from blendtune_operator import names
from blendtune_operator.names import Object
from blendtune_operator.render import pod
from blendtune_operator.render.config import Pinned
from blendtune_operator.render.job import job
from blendtune_operator.render.uris import blend_uris, export_uris, is_remote, mounted_claims
from blendtune_operator.settings import Settings

RUBRIC_CONTAINER = "rubric"
BLEND_CONTAINER = "blend"


def blend_job(run: BlendedFineTune, pinned: Pinned[RunConfig], attempt: int, settings: Settings) -> Object:
    spec, images = pinned.config.spec, pinned.config.images
    uris = blend_uris(spec)
    context = pod.PodContext(
        run=run,
        stage=Stage.BLEND,
        attempt=attempt,
        config_map=names.run_config(run.metadata.name, pinned.revision),
        config_digest=pinned.digest,
        claims=mounted_claims(spec.storage, uris, export_uris(spec)),
        credentials=spec.credentials,
        with_secret=any(map(is_remote, (*uris, *export_uris(spec)))),
        grace_period=settings.grace_period,
        platform_user=settings.platform_user,
        rubric=spec.evaluation.rubric.config_map_ref,
    )
    user = spec.cluster.blend
    check = rubric_check(context, spec, images)
    blend = pod.container(
        context,
        BLEND_CONTAINER,
        user.image or images[Stage.BLEND],
        ["python", "-m", "blendtune_trainer", "blend"],
    )
    containers = [pod.main_container(context, user, blend)]
    template = pod.template(context, user, containers, init_containers=[check])
    name = names.blend_job(run.metadata.name, attempt)
    return job(run, name, Stage.BLEND, attempt, template, spec.cluster.queue_name)


def rubric_check(context: pod.PodContext, spec: BlendedFineTuneSpec, images: Mapping[str, str]) -> Object:
    """The init container that checks the rubric and leaves it in the workspace."""
    return pod.container(
        context,
        RUBRIC_CONTAINER,
        spec.cluster.eval.image or images[Stage.EVAL],
        ["python", "-m", "blendtune_eval", "check-rubric"],
    )
