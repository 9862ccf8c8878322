"""The eval Job: asks the questions of the rubric, scores the answers, writes the report."""

from __future__ import annotations

from blendtune_api.contract import Env, EvalConfig
from blendtune_api.v1alpha1 import Judge, RubricEval, Stage
from blendtune_operator import names
from blendtune_operator.names import Object
from blendtune_operator.render import pod
from blendtune_operator.render.config import Pinned
from blendtune_operator.render.job import job
from blendtune_operator.render.uris import eval_uris, export_uris, is_remote, mounted_claims
from blendtune_operator.settings import Settings

EVAL_CONTAINER = "eval"


def eval_job(run: RubricEval, pinned: Pinned[EvalConfig], attempt: int, settings: Settings) -> Object:
    config = pinned.config
    spec = config.spec
    uris, exports = eval_uris(spec), export_uris(spec)
    training = config.training_workspace
    claims = {training.persistent_volume_claim: True} if training else {}
    context = pod.PodContext(
        run=run,
        stage=Stage.EVAL,
        attempt=attempt,
        config_map=names.eval_config(run.metadata.name, pinned.revision),
        config_digest=pinned.digest,
        claims=claims | mounted_claims(spec.storage, uris, exports),
        credentials=spec.credentials,
        with_secret=any(map(is_remote, (*uris, *exports))),
        grace_period=settings.grace_period,
        platform_user=settings.platform_user,
        rubric=spec.rubric.config_map_ref,
        devices=pod.Devices(preset=config.gpu, count=spec.cluster.gpus),
        shared_memory=True,
    )
    user = spec.cluster.eval
    container = pod.container(
        context,
        EVAL_CONTAINER,
        user.image or config.image,
        ["python", "-m", "blendtune_eval", "evaluate"],
        env=_judge_key(spec.judge),
    )
    template = pod.template(context, user, [pod.main_container(context, user, container)])
    name = names.eval_job(run.metadata.name, attempt)
    return job(run, name, Stage.EVAL, attempt, template, spec.cluster.queue_name)


def _judge_key(judge: Judge) -> list[Object]:
    if judge.open_ai is None or judge.open_ai.api_key_secret_ref is None:
        return []
    return [pod.secret_variable(Env.JUDGE_API_KEY, judge.open_ai.api_key_secret_ref)]
