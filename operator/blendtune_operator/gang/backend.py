"""The seam between the training of a run and what makes its pods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from blendtune_api.v1alpha1 import BlendedFineTune, Stage
from blendtune_operator import names
from blendtune_operator.names import Kind, Object


@dataclass(frozen=True, kw_only=True, slots=True)
class GangAttempt:
    """One attempt of a gang: `nodes` pods of `template`, which start together and are never restarted.

    With a `queue_name` it is created suspended: nothing runs past the quota that the queue keeps.
    """

    run: BlendedFineTune
    number: int
    nodes: int
    queue_name: str
    template: Object

    @property
    def name(self) -> str:
        return names.training(self.run.metadata.name, self.number)

    @property
    def metadata(self) -> Object:
        """Of the object that is the attempt."""
        labels = {names.QUEUE_NAME: self.queue_name} if self.queue_name else {}
        return names.metadata(self.run, self.name, Stage.TRAIN, self.number, labels)

    @property
    def suspension(self) -> Object:
        return {"suspend": True} if self.queue_name else {}


def pod_spec(template: Object) -> Object:
    """The spec of a pod template; empty where a podTemplate has put what is none in its place."""
    spec = template.get("spec")
    return spec if isinstance(spec, dict) else {}


class Backend(Protocol):
    """Makes the pods of an attempt, and its object tells how they fare.

    The object is recorded in the run's status, and is all that the plan knows of a backend. It fails as soon
    as one pod does and takes the others away, succeeds when all have, restarts none, and says so in
    conditions that `plan.children.phase_of` reads. Suspended, it has no pods.
    """

    @property
    def kind(self) -> Kind:
        """Of the object that is an attempt."""
        ...

    @property
    def installed_by(self) -> str:
        """What to install where the API server does not know the kind."""
        ...

    @property
    def index_label(self) -> str:
        """The label in which each pod has its number within the gang, from 0."""
        ...

    @property
    def container(self) -> str:
        """The name of the container that trains."""
        ...

    @property
    def makes(self) -> tuple[Kind, ...]:
        """What controllers make of the attempt's object, one of the other, down to what owns the pods."""
        ...

    def rank_0(self, run: str, attempt: int) -> str:
        """Host name of the pod with number 0, for its peers."""
        ...

    def objects(self, attempt: GangAttempt) -> tuple[Object, ...]:
        """What to create, in this order: what the attempt needs, and last the attempt itself.

        What it needs is the same for all attempts of a run, or has the attempt's name and goes with it.
        """
        ...
