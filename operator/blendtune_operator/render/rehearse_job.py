"""The rehearse Job: checks the rubric, then the base model writes the rows of the sources self://."""

from __future__ import annotations

from blendtune_api.contract import Env, RunConfig
from blendtune_api.v1alpha1 import BlendedFineTune, Stage
from blendtune_operator import names
from blendtune_operator.names import Object
from blendtune_operator.render import pod
from blendtune_operator.render.blend_job import rubric_check
from blendtune_operator.render.config import Pinned
from blendtune_operator.render.job import job
from blendtune_operator.render.uris import blend_uris, is_remote, mounted_claims, prompt_uris
from blendtune_operator.settings import Settings

REHEARSE_CONTAINER = "rehearse"


def rehearse_job(run: BlendedFineTune, pinned: Pinned[RunConfig], attempt: int, settings: Settings) -> Object:
    spec, images = pinned.config.spec, pinned.config.images
    uris = (*blend_uris(spec), *prompt_uris(spec))
    user = spec.cluster.rehearse
    context = pod.PodContext(
        run=run,
        stage=Stage.REHEARSE,
        attempt=attempt,
        config_map=names.run_config(run.metadata.name, pinned.revision),
        config_digest=pinned.digest,
        claims=mounted_claims(spec.storage, uris),
        credentials=spec.credentials,
        with_secret=any(map(is_remote, uris)),
        grace_period=settings.grace_period,
        platform_user=settings.platform_user,
        rubric=spec.evaluation.rubric.config_map_ref,
        devices=pod.Devices(preset=pinned.config.gpu, count=user.gpus),
        shared_memory=True,
    )
    container = pod.container(
        context,
        REHEARSE_CONTAINER,
        user.image or images[Stage.REHEARSE],
        ["python", "-m", "blendtune_trainer", "rehearse"],
        env=[pod.variable(Env.METRICS_PORT, names.METRICS_PORT)],
    )
    container["ports"] = [{"name": names.METRICS_PORT_NAME, "containerPort": names.METRICS_PORT}]
    template = pod.template(
        context,
        user,
        [pod.main_container(context, user, container)],
        init_containers=[rubric_check(context, spec, images)],
    )
    name = names.rehearse_job(run.metadata.name, attempt)
    return job(run, name, Stage.REHEARSE, attempt, template, spec.cluster.queue_name)
