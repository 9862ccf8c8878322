"""Whether an object is what a create has made: its content, without what the API server adds to each anew."""

from __future__ import annotations

from typing import Any

from blendtune_operator.names import Kind, Object

# The API server puts these on the pods of a Job, by which the Job finds them.
_JOB_LABELS = (
    "controller-uid",
    "job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
)


def is_same_content(one: Object, other: Object) -> bool:
    """Whether two objects of one kind, both as an API server has stored them, ask for the same.

    Metadata and status are not compared, nor what may have changed since: whether a queue or a study has
    suspended it, and how much of the study's GPU hours was left for it.
    """
    return bool(_content(one) == _content(other))


def _content(obj: Object) -> Any:
    content = {
        key: value
        for key, value in obj.items()
        if key not in ("apiVersion", "kind", "metadata", "status") and value
    }
    if obj["kind"] == Kind.BLENDED_FINE_TUNE:
        cluster = obj["spec"].get("cluster", {})
        kept = {key: value for key, value in cluster.items() if key != "activeDeadlineSeconds"}
        content["spec"] = {**obj["spec"], "cluster": kept, "suspend": False}
    if obj["kind"] == Kind.JOB:
        content["spec"] = _job_spec(obj["spec"])
    if obj["kind"] in (Kind.JOB_SET, Kind.TRAIN_JOB):
        content["spec"] = {key: value for key, value in obj["spec"].items() if key != "suspend"}
    if obj["kind"] == Kind.PYTORCH_JOB:
        policy = {key: value for key, value in obj["spec"].get("runPolicy", {}).items() if key != "suspend"}
        content["spec"] = {**obj["spec"], "runPolicy": policy}
    return content


def _job_spec(spec: Object) -> Object:
    kept = {key: value for key, value in spec.items() if key not in ("selector", "suspend")}
    template = spec["template"]
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key not in _JOB_LABELS}
    return {**kept, "template": {**template, "metadata": {**metadata, "labels": labels}}}
