"""What a user of a namespace may do to runs there, with the rights that the chart gives to editors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from tests.cluster.client import Client, Refused
from tests.cluster.fake_controllers import FakeControllers, PodOutcome
from tests.cluster.scenario import Scenario
from tests.e2e.waiting import until
from tests.helm.chart import render as render_chart

from blendtune_api import codec
from blendtune_api.v1alpha1 import BlendedFineTune, Gang
from blendtune_operator import names, render
from blendtune_operator.gang import BACKENDS
from blendtune_operator.names import Kind, Object
from blendtune_operator.settings import Settings

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
# What the roles for editors of Kubeflow and JobSet allow.
_TRAINING_RULES = [
    {
        "apiGroups": [kind.api_version.partition("/")[0]],
        "resources": [kind.plural],
        "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
    }
    for kind in (Kind.PYTORCH_JOB, Kind.TRAIN_JOB, Kind.TRAINING_RUNTIME, Kind.JOB_SET)
]


@dataclass
class NamedControllers(FakeControllers):
    """`held` has the stage of a run, by the run's name, whose pods run on; all others succeed."""

    held: dict[str, str] = field(default_factory=dict)
    outcomes: dict[tuple[str, str], PodOutcome] = field(default_factory=dict)  # by run and stage

    def _sync_pod(self, pod: Object) -> None:
        labels = pod["metadata"]["labels"]
        run = labels.get("app.kubernetes.io/instance", "")
        stage = labels.get(names.STAGE) or ""
        if stage not in ("blend", "train", "eval"):
            stage = next(
                (item for item in ("blend", "train", "eval") if f"-{item}" in pod["metadata"]["name"]), ""
            )
        if not stage:
            return
        ends = self.outcomes.get((run, stage), PodOutcome())
        outcome = PodOutcome(exit_code=None, address=ends.address) if self.held.get(run) == stage else ends
        self.policy = lambda *_: outcome
        # No kubelet minds labels: they are put right for the fake one.
        index = names.number(pod, names.REPLICA_INDEX) if names.REPLICA_INDEX in labels else 0
        right = {
            names.STAGE: stage,
            names.ATTEMPT: "1",
            names.REPLICA_INDEX: str(7 if index is None else index),
        }
        pod = {**pod, "metadata": {**pod["metadata"], "labels": {**labels, **right}}}
        super()._sync_pod(pod)


@dataclass
class Attacker:
    """An attack on the run `name`: `client` has the rights of a user, `world` those of an administrator."""

    world: Scenario
    client: Client
    name: str

    @property
    def namespace(self) -> str:
        return self.world.namespace

    @property
    def controllers(self) -> NamedControllers:
        return cast(NamedControllers, self.world.controllers)

    @property
    def training(self) -> Kind:
        """Of what is an attempt of the training. The runs have the gang of `world`."""
        return BACKENDS[self.world.gang].kind

    @property
    def training_template(self) -> Kind:
        """Of what holds the template of the training's pods."""
        return Kind.TRAINING_RUNTIME if self.world.gang is Gang.TRAIN_JOB else self.training

    def apply(self, hold: str = "", **spec: Any) -> None:
        """Creates the run; its stage `hold` runs on."""
        self.controllers.held[self.name] = hold
        self.world.apply(self.name, **spec)

    def apply_suspended(self, **spec: Any) -> None:
        self.apply(suspend=True, **spec)
        self.world.wait_for_state("Suspended", name=self.name)

    def edit(self, **spec: Any) -> None:
        self.client.patch(Kind.BLENDED_FINE_TUNE, self.namespace, self.name, {"spec": spec})

    def release(self) -> None:
        self.controllers.held.pop(self.name, None)

    def wait_until_running(self, condition: str) -> None:
        self.world.wait_for(
            f"{self.name}: {condition} is running",
            lambda: self.world.condition(condition, self.name).get("reason") == "Running",
        )

    def rendered(self, kind: Kind, suffix: str = "") -> Object:
        """The child of a kind, and with this end of its name, as it would be made of a run not suspended."""
        obj = self.world.client.get(Kind.BLENDED_FINE_TUNE, self.namespace, self.name)
        run = codec.decode_object(obj)
        assert isinstance(run, BlendedFineTune)
        run = replace(run, spec=replace(run.spec, suspend=False))
        children = (child for child in render.children(run, Settings()) if child["kind"] == kind)
        return next(child for child in children if child["metadata"]["name"].endswith(suffix))

    def child(self, kind: Kind, suffix: str) -> Object:
        found = self.world.wait_for(
            f"{kind} {self.name}{suffix}",
            lambda: self.world.client.get(kind, self.namespace, f"{self.name}{suffix}"),
        )
        return {**found, "apiVersion": kind.api_version, "kind": kind.value}

    def replace(self, kind: Kind, suffix: str, forge: Callable[[Object], Object]) -> Object:
        """Deletes a child of the run and puts another in its place, with its labels and owner."""
        known = self.child(kind, suffix)
        self.client.delete(known)
        self.world.wait_for(
            "it is gone",
            lambda: self.world.client.get(kind, self.namespace, known["metadata"]["name"]) is None,
        )
        return self.client.create(forge(as_new(known)))

    def assert_conflict(self, kind: Kind, suffix: str, condition: str = "Accepted") -> None:
        """The run says NameConflict, which object it is, and what to do; and so does an event."""
        self.world.wait_for(
            f"{self.name} says NameConflict",
            lambda: self.world.condition(condition, self.name).get("reason") == "NameConflict",
        )
        message = self.world.condition(condition, self.name)["message"]
        assert f"delete {kind} {self.name}{suffix}, or give the run another name" in message
        path = f"/api/v1/namespaces/{self.namespace}/events"
        self.world.wait_for("an event tells it", lambda: [
            item for item in self.world.client.call("GET", path)["items"]
            if (item["involvedObject"]["name"], item["reason"]) == (self.name, "NameConflict")
        ])  # fmt: skip

    def remove(self, kind: Kind, suffix: str) -> None:
        """Does what the message advises."""
        self.client.delete(
            {"kind": kind.value, "metadata": {"name": f"{self.name}{suffix}", "namespace": self.namespace}}
        )

    def assert_honest_end(self) -> None:
        """The run succeeds, with its own scores, and nothing that it runs on is the attacker's."""
        self.release()
        self.world.wait_for_state("Succeeded", name=self.name)
        status = self.world.status(self.name)
        assert status["model"]["digest"] == "model-1"
        assert status["evaluation"]["inDomain"]["delta"] == 0.5
        for kind in (Kind.CONFIG_MAP, *names.ATTEMPT_KINDS, Kind.RUBRIC_EVAL):
            recorded = json.dumps(status)
            children = self.world.client.list(kind, self.namespace)
            assert EVIL not in json.dumps([one for one in children if one["metadata"]["uid"] in recorded])


EVIL = "evil"  # part of whatever an attacker would have run


def as_new(known: Object) -> Object:
    """A copy of an object that may be created, with its labels and owner references."""
    metadata = {key: known["metadata"][key] for key in ("name", "namespace", "labels", "ownerReferences")}
    kept = {key: value for key, value in known.items() if key not in ("metadata", "status")}
    copy: Object = json.loads(json.dumps({**kept, "metadata": metadata}))
    spec = copy.get("spec", {})
    if copy["kind"] == Kind.JOB:  # what the API server wrote
        spec.pop("selector", None)
        labels = spec["template"]["metadata"]["labels"]
        for label in [key for key in labels if key.endswith(("controller-uid", "job-name"))]:
            del labels[label]
    return copy


def with_evil_images(obj: Object) -> Object:
    """The object with other images."""
    changed: Object = json.loads(json.dumps(obj).replace("blendtune/trainer:", f"{EVIL}/trainer:").replace(
        "blendtune/eval:", f"{EVIL}/eval:"
    ))  # fmt: skip
    return changed


def with_pinned(change: Callable[[Any], None]) -> Callable[[Object], Object]:
    """Changes the document of a pinned configuration."""

    def forge(config_map: Object) -> Object:
        document = json.loads(config_map["data"]["config.json"])
        change(document)
        return {**config_map, "data": {"config.json": json.dumps(document)}}

    return forge


def images(document: Any) -> None:
    document["images"] = dict.fromkeys(document["images"], f"{EVIL}/image:1")


def editor(client: Client, namespace: str) -> Client:
    """A client with the rights of the cluster's role `edit`, which the chart's own roles are added to."""
    for role in render_chart({}):
        if (
            role["kind"] == "ClusterRole"
            and "aggregationRule" not in role
            and role["metadata"]["labels"].get("rbac.authorization.k8s.io/aggregate-to-edit")
        ):
            _create(client, f"{_RBAC}/clusterroles", role)
    account = {"kind": "ServiceAccount", "name": "dora", "namespace": namespace}
    place = f"/namespaces/{namespace}"
    _create(client, f"/api/v1{place}/serviceaccounts", {"metadata": {"name": "dora"}})
    _create(client, f"{_RBAC}{place}/roles", {"metadata": {"name": "training"}, "rules": _TRAINING_RULES})
    for kind, role in (("ClusterRole", "edit"), ("Role", "training")):
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
        binding = {"metadata": {"name": f"dora-{role}"}, "roleRef": reference, "subjects": [account]}
        _create(client, f"{_RBAC}{place}/rolebindings", binding)
    path = f"/api/v1{place}/serviceaccounts/dora/token"
    token = client.call("POST", path, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    own = Client(client.server, str(token))
    until("the rights are there", lambda: _may(own, Kind.BLENDED_FINE_TUNE, namespace), every=0.1, seconds=60)
    return own


def remove_roles(client: Client) -> None:
    for role in ("blendtune-view", "blendtune-edit"):
        client.call("DELETE", f"{_RBAC}/clusterroles/{role}")


def _may(client: Client, kind: Kind, namespace: str) -> bool:
    try:
        client.call("GET", kind.path(namespace))
        client.call("GET", Kind.CONFIG_MAP.path(namespace))
    except Refused:
        return False
    return True


def _create(client: Client, path: str, obj: Object) -> None:
    client.call("POST", path, obj)


def refused(what: Callable[[], object]) -> Refused:
    """The refusal with which an attempt ends."""
    try:
        what()
    except Refused as error:
        return error
    raise AssertionError("the API server has allowed it")
