"""The attacks of a namespace user, as the threat model lists them: `ATTACKS` is that list.

Each is carried out on a real API server, on a run of its own. `python -m tests.cluster.attacks` prints the
table of docs/security.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.attack_steps import (
    broken_labels,
    foreign_namespace,
    forged_result,
    impossible_progress,
    impossible_result,
    pod_that_stays,
    refused_template,
    status_at_creation,
    stray_claim,
    written_status,
)
from tests.cluster.attacker import EVIL, Attacker, images, with_evil_images, with_pinned
from tests.cluster.forging import (
    account,
    edited_configuration,
    edited_evaluation,
    evaluation_with_scores,
    forged_before,
    forged_training,
    forged_while,
    model,
    nodes,
    other_rubric,
    relabelled_configuration,
    removed_configuration,
    replaced_blend_job,
    replaced_evaluation,
    replaced_training,
    replaced_while,
    rubric,
    with_data,
    without_labels,
    without_owner,
)

from blendtune_operator.names import Kind

_RECORDED = "the status, which no user may write, records the UID of each child"
_DIGEST = "the status records its digest, and the pods verify the file that they mount"
_MADE = "what stands under a child's name must be what the operator would have made"


@dataclass(frozen=True)
class Attack:
    """`cannot` and `because` are the row of the threat model; `carry_out` fails if the attack succeeds."""

    cannot: str
    because: str
    carry_out: Callable[[Attacker], None]


CONFIG, JOB, EVALUATION = Kind.CONFIG_MAP, Kind.JOB, Kind.RUBRIC_EVAL
ON_GANGS = ("training", "replace-training", "pod-stays", "pod-labels")  # carried out for each kind of gang
ATTACKS: dict[str, Attack] = {
    "images": Attack(
        "give a run other images by a ConfigMap of its pinned configuration's name, written before it starts",
        _MADE, forged_before(CONFIG, "-run", with_pinned(images)),
    ),
    "rubric": Attack(
        "give a run another rubric in that way", _MADE, forged_before(CONFIG, "-run", with_pinned(rubric)),
    ),
    "nodes": Attack(
        "send a run to other nodes in that way", _MADE, forged_before(CONFIG, "-run", with_pinned(nodes)),
    ),
    "account": Attack(
        "give a run a service account that is not allowed in that way", _MADE,
        forged_before(CONFIG, "-run", with_pinned(account)),
    ),
    "no-data": Attack(
        "stop the operator by a pinned configuration without data", _MADE,
        forged_before(CONFIG, "-run", with_data({})),
    ),
    "odd-keys": Attack(
        "stop the operator by a pinned configuration that is no JSON, or has other keys", _MADE,
        forged_before(CONFIG, "-run", with_data({"config.json": "{", "x": "y"}, binaryData={"z": "AA=="})),
    ),
    "no-owner": Attack(
        "have a Job of another owner taken for the run's",
        "a child must name the run's UID as its controller",
        forged_before(JOB, "-blend", without_owner),
    ),
    "no-labels": Attack(
        "have a Job without the run's labels taken for the run's", "a child must have the labels of the run",
        forged_before(JOB, "-blend", without_labels),
    ),
    "blend-job": Attack(
        "blend by a Job of one's own", _MADE, forged_before(JOB, "-blend", with_evil_images),
    ),
    "training": Attack(
        "train by a gang of one's own, put there while the run blends", _MADE, forged_training,
    ),
    "evaluation": Attack(
        "have scores taken from a RubricEval of one's own with another rubric", _MADE,
        forged_while("train", "TrainingSucceeded", EVALUATION, "", other_rubric),
    ),
    "evaluation-scores": Attack(
        "create the run's RubricEval with scores in its status", "the API server drops a status at creation",
        evaluation_with_scores,
    ),
    "swap-blending": Attack(
        "replace the pinned configuration while the run blends",
        _DIGEST,
        replaced_while("blend", "DataBlended", CONFIG, "-run", with_pinned(model)),
    ),
    "swap-training": Attack(
        "replace it while the run trains", "the same",
        replaced_while("train", "TrainingSucceeded", CONFIG, "-run", with_pinned(rubric)),
    ),
    "remove-configuration": Attack(
        "change what a run does by removing its pinned configuration",
        "it is written again, with the same digest",
        removed_configuration,
    ),
    "edit-configuration": Attack(
        "edit the pinned configuration", "the ConfigMap is immutable", edited_configuration,
    ),
    "relabel-configuration": Attack(
        "break a run by other labels on its pinned configuration",
        "the status says which revision it is", relabelled_configuration,
    ),
    "replace-blend-job": Attack(
        "replace the blend Job while it runs", _RECORDED, replaced_blend_job,
    ),
    "replace-training": Attack(
        "replace the gang while it runs", _RECORDED, replaced_training,
    ),
    "replace-evaluation": Attack(
        "replace the RubricEval while it runs", _RECORDED, replaced_evaluation,
    ),
    "edit-evaluation": Attack(
        "have scores taken from a RubricEval whose image was changed while it runs",
        "a run takes none from one whose generation is not 1",
        edited_evaluation({"cluster": {"eval": {"image": f"{EVIL}/image:1"}}}),
    ),
    "edit-evaluation-undone": Attack(
        "hide such a change by undoing it", "the generation never goes back",
        edited_evaluation({"cluster": {"backoffLimit": 7}}, {"cluster": {"backoffLimit": 3}}),
    ),
    "status": Attack(
        "write the status of a run", "no role of the chart has the right to a `status`",
        written_status(Kind.BLENDED_FINE_TUNE),
    ),
    "evaluation-status": Attack(
        "write the status of its RubricEval", "the same", written_status(EVALUATION),
    ),
    "status-at-creation": Attack(
        "create a run with a status", "the API server drops it", status_at_creation,
    ),
    "result": Attack(
        "report a result by a pod with the run's labels", "only pods that a recorded child controls are read",
        forged_result,
    ),
    "pod-stays": Attack(
        "hold back the next attempt by a live pod with the run's labels", "the same", pod_that_stays,
    ),
    "pod-labels": Attack(
        "stop the operator by labels that are no numbers, on pods of one's own or of the run",
        "the attempt of a pod is that of the child that controls it", broken_labels,
    ),
    "account-list": Attack(
        "pass the list of service accounts by a list in `podTemplate`", "it is refused by its path",
        refused_template("InvalidSpec", "serviceAccountName: must be a string", serviceAccountName=["runs"]),
    ),
    "account-map": Attack(
        "pass it by a map under the older name of the field", "it is refused by its path",
        refused_template("InvalidSpec", "serviceAccount: must be a string", serviceAccount={"a": "b"}),
    ),
    "account-space": Attack(
        "pass it by spaces around a name", "names are compared as they are",
        refused_template("ServiceAccountNotAllowed", "' runs'", serviceAccountName=" runs"),
    ),
    "template": Attack(
        "stop the operator by a `podTemplate` that is no pod",
        "what the API server refuses is `ChildRefused`",
        refused_template("ChildRefused", "Job", containers="none", volumes=[{"name": ["x"]}]),
    ),
    "other-namespace": Attack(
        "reach a run from another namespace by its UID", "objects of other namespaces are dropped",
        foreign_namespace,
    ),
    "stray": Attack(
        "have a ConfigMap of another name obeyed for its higher revision", _DIGEST, stray_claim,
    ),
    "impossible-result": Attack(
        "block a run's status by a result with numbers that it may not have",
        "a result is read within the bounds of the status", impossible_result,
    ),
    "impossible-progress": Attack(
        "block it by negative or endless progress", "such values are clamped or left out",
        impossible_progress,
    ),
}  # fmt: skip


def table() -> str:
    """The rows of docs/security.md."""
    rows = [f"| {attack.cannot} | {attack.because} | `{name}` |" for name, attack in ATTACKS.items()]
    return "\n".join(["| Cannot | Because | Attack |", "|---|---|---|", *rows])


if __name__ == "__main__":
    print(table())
