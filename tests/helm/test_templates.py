"""What the chart renders, by its values."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.helm.chart import (
    CASES,
    DIGEST,
    NAMESPACE,
    ROOT,
    container,
    environment,
    names,
    observed_chart,
    one,
    render,
)
from tests.operator.builders import fine_tune

from blendtune_api.crd import RESOURCES, custom_resource_definition
from blendtune_api.v1alpha1 import Stage
from blendtune_operator import names as operator_names
from blendtune_operator.gang import BACKENDS
from blendtune_operator.settings import ProcessSettings, Settings

pytestmark = pytest.mark.cluster  # helm renders it

RULES: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    (ROOT / "helm/blendtune/files/rules.yaml").read_text()
)
OPERATOR = {"Deployment/blendtune-operator", "Service/blendtune-operator"}
ACCOUNT = {"ServiceAccount/blendtune-operator"}
CRDS = {f"CustomResourceDefinition/{resource.full_name}" for resource in RESOURCES}
LEASE = {"Role/blendtune-operator-lease", "RoleBinding/blendtune-operator-lease"}
CLUSTER = {"ClusterRole/blendtune-operator", "ClusterRoleBinding/blendtune-operator"}
AGGREGATED = {"ClusterRole/blendtune-view", "ClusterRole/blendtune-edit"}
DEFAULT = OPERATOR | ACCOUNT | CRDS | LEASE | CLUSTER | AGGREGATED


def _meta(label: str) -> str:
    """The name under which Prometheus discovers a label of a pod."""
    return f"__meta_kubernetes_pod_label_{re.sub(r'[^a-zA-Z0-9]', '_', label)}"


def served(*namespaces: str) -> set[str]:
    """The roles that serve a list of namespaces."""
    return {
        f"{kind}/{namespace}/blendtune-operator"
        for namespace in namespaces
        for kind in ("Role", "RoleBinding")
    }


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param("default", DEFAULT, id="default"),
        pytest.param("namespaces", DEFAULT - CLUSTER | served("team-a", "team-b"), id="namespaces"),
        pytest.param(
            "nothing cluster-wide", OPERATOR | ACCOUNT | LEASE | served("team-a"), id="nothing cluster-wide"
        ),
        pytest.param("rights from elsewhere", OPERATOR | CRDS, id="rights from elsewhere"),
        pytest.param("confined", DEFAULT | {"NetworkPolicy/blendtune-operator"}, id="confined"),
        pytest.param(
            "monitored namespaces",
            DEFAULT - CLUSTER
            | served("team-a", "team-b")
            | {"NetworkPolicy/blendtune-operator", "PodMonitor/blendtune-trainer"},
            id="monitored namespaces",
        ),
    ],
)
def test_what_is_there(case: str, expected: set[str]) -> None:
    objects = render(CASES[case])
    assert names(objects) == expected
    assert len(objects) == len(expected)


def test_what_observes_is_there_on_demand(tmp_path: Path) -> None:
    chart = observed_chart(tmp_path)
    assert names(render({}, chart)) == DEFAULT
    assert names(render(CASES["monitoring"], chart)) - DEFAULT >= {
        "ServiceMonitor/blendtune-operator",
        "PodMonitor/blendtune-trainer",
        "PrometheusRule/blendtune-example",
        "ConfigMap/blendtune-dashboard-example",
    }


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("blendtune", "blendtune-operator"),
        ("my-blendtune", "my-blendtune-operator"),
        ("tuning", "tuning-blendtune-operator"),
    ],
)
def test_objects_are_named_after_the_release(release: str, name: str) -> None:
    assert one(render({}, release=release), "Deployment")["metadata"]["name"] == name


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
def test_the_crds_are_the_generated_ones(resource: Any) -> None:
    definition = custom_resource_definition(resource)
    (crd,) = (obj for obj in render({}) if obj["metadata"]["name"] == resource.full_name)
    assert crd["spec"] == definition["spec"]
    assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_crds_need_not_be_kept() -> None:
    for obj in render(CASES["CRDs not kept"]):
        if obj["kind"] == "CustomResourceDefinition":
            assert obj["metadata"]["annotations"] == {"argocd.argoproj.io/sync-wave": "-1"}


@pytest.mark.parametrize(
    ("case", "kind", "rules"),
    [
        pytest.param("default", "ClusterRole", RULES["run"] + RULES["cluster"], id="cluster"),
        pytest.param("nothing cluster-wide", "Role", RULES["run"], id="namespace"),
    ],
)
def test_the_rights_are_those_that_are_proved(case: str, kind: str, rules: list[dict[str, Any]]) -> None:
    roles = {obj["metadata"]["name"]: obj for obj in render(CASES[case]) if obj["kind"].endswith("Role")}
    role = roles["blendtune-operator"]
    assert (role["kind"], role["rules"]) == (kind, rules)
    assert roles["blendtune-operator-lease"]["rules"] == RULES["lease"]


@pytest.mark.parametrize("case", CASES)
def test_bindings_name_the_service_account_of_the_pod(case: str) -> None:
    objects = render(CASES[case])
    account = one(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
    subject = {"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}
    for obj in objects:
        if obj["kind"].endswith("Binding"):
            assert obj["subjects"] == [subject]
            assert obj["roleRef"]["name"] == obj["metadata"]["name"]
            assert obj["roleRef"]["kind"] == obj["kind"].removesuffix("Binding")


@pytest.mark.parametrize(
    ("case", "images"),
    [
        pytest.param(
            "default",
            ("blendtune/operator:0.1.0", "blendtune/trainer:0.1.0", "blendtune/eval:0.1.0"),
            id="tags",
        ),
        pytest.param(
            "images",
            (
                f"registry.example.com/mirror/blendtune/operator@{DIGEST}",
                "registry.example.com/mirror/blendtune/trainer:2.0",
                f"registry.example.com/mirror/own/eval@{DIGEST}",
            ),
            id="mirror and digests",
        ),
    ],
)
def test_images(case: str, images: tuple[str, str, str]) -> None:
    objects = render(CASES[case])
    settings = Settings.from_environment(environment(objects))
    assert images == (
        container(objects)["image"],
        settings.image(Stage.TRAIN),
        settings.image(Stage.EVAL),
    )


class TestSettings:
    def test_the_defaults_are_the_operators_own(self) -> None:
        environ = environment(render({}))
        images = {"trainer_image": "blendtune/trainer:0.1.0", "eval_image": "blendtune/eval:0.1.0"}
        assert Settings.from_environment(environ) == replace(Settings(), **images)  # type: ignore[arg-type]
        process = ProcessSettings.from_environment(environ)
        own = ProcessSettings(lease_namespace=NAMESPACE, identity=process.identity)
        assert process == own

    def test_every_value_arrives(self) -> None:
        environ = environment(render({**CASES["settings"]}))
        settings, process = Settings.from_environment(environ), ProcessSettings.from_environment(environ)
        preset = settings.gpu_presets["b200"]
        assert (preset.memory_bytes, preset.peak_flops) == (193_273_528_320, 2.25e15)
        assert preset.resource_name == "nvidia.com/gpu"
        assert preset.node_selector == {"nvidia.com/gpu.product": "NVIDIA-B200"}
        assert settings.gpu_presets["no-gpu"].resource_name is None
        assert settings.allowed_service_accounts == {"trainer", "exporter"}
        durations = (
            settings.backoff_base, settings.backoff_cap, settings.grace_period,
            settings.progress_interval, settings.obstacle_interval, settings.patience,
            process.resync_interval, process.watch_silence, process.lease_duration,
        )  # fmt: skip
        assert [duration.total_seconds() for duration in durations] == [0.5, 60, 120, 2, 10, 20, 60, 90, 2.5]
        assert settings.platform_user
        assert process.workers == 4
        assert environ["BLENDTUNE_LOG_LEVEL"] == "DEBUG"

    def test_no_setting_is_out_of_reach(self) -> None:
        docs = (ROOT / "docs/operator.md").read_text()
        known = set(re.findall(r"BLENDTUNE_[A-Z_]+", docs))
        fixed = {"BLENDTUNE_HTTP_PORT"}  # the container's own
        assert known - fixed == set(environment(render({})))

    def test_the_namespaces_are_those_with_a_role(self) -> None:
        objects = render(CASES["namespaces"])
        namespaces = ProcessSettings.from_environment(environment(objects)).namespaces
        roles = {obj["metadata"]["namespace"] for obj in objects if obj["kind"] == "Role"}
        assert set(namespaces) == roles - {NAMESPACE} == {"team-a", "team-b"}


class TestPod:
    def test_one_at_a_time(self) -> None:
        spec = one(render({}), "Deployment")["spec"]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})

    def test_it_writes_only_to_tmp(self) -> None:
        operator = container(render({}))
        assert operator["securityContext"]["readOnlyRootFilesystem"] is True
        assert [mount["mountPath"] for mount in operator["volumeMounts"]] == ["/tmp"]

    def test_the_probes_ask_what_the_operator_serves(self) -> None:
        operator = container(render({}))
        assert operator["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
        assert operator["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
        assert operator["ports"] == [{"name": "metrics", "containerPort": ProcessSettings().port}]

    def test_placement(self) -> None:
        values = CASES["placement"]
        objects = render(values)
        deployment = one(objects, "Deployment")
        template = deployment["spec"]["template"]
        assert deployment["metadata"]["name"] == "tuner-operator"
        keys = ("nodeSelector", "tolerations", "affinity", "priorityClassName")
        assert {key: template["spec"][key] for key in keys} == {key: values[key] for key in keys}
        assert template["spec"]["containers"][0]["resources"] == values["resources"]
        assert environment(objects)["HTTPS_PROXY"] == "http://proxy:3128"
        assert template["metadata"]["annotations"] == values["podAnnotations"]
        assert template["metadata"]["labels"]["cost-centre"] == "42"
        assert all(obj["metadata"]["labels"]["team"] == "platform" for obj in objects)
        assert one(objects, "ServiceAccount")["metadata"]["annotations"] == {"note": "operator"}

    @pytest.mark.parametrize("stage", Stage)
    def test_no_selector_takes_a_runs_pod_for_the_operator(self, stage: Stage) -> None:
        run = fine_tune()
        run = replace(run, metadata=replace(run.metadata, name="blendtune"))
        labels = operator_names.labels(run, stage, 1)
        objects = render({**CASES["confined"], "metrics": {"serviceMonitor": {"enabled": True}}})
        selectors = [
            one(objects, "Deployment")["spec"]["selector"]["matchLabels"],
            one(objects, "Service")["spec"]["selector"],
            one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        ]
        template = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
        for selector in selectors:
            assert selector.items() <= template.items()
            assert not selector.items() <= labels.items()


class TestObservation:
    def test_monitors_bear_the_labels_by_which_prometheus_selects(self, tmp_path: Path) -> None:
        objects = render(CASES["monitoring"], observed_chart(tmp_path))
        for kind in ("ServiceMonitor", "PodMonitor"):
            assert one(objects, kind)["metadata"]["labels"]["release"] == "kube-prometheus-stack"
        rules = [obj for obj in objects if obj["kind"] == "PrometheusRule"]
        assert all(rule["metadata"]["labels"]["release"] == "kube-prometheus-stack" for rule in rules)

    def test_a_runs_series_keep_their_namespace(self) -> None:
        (endpoint,) = one(render(CASES["monitoring"]), "ServiceMonitor")["spec"]["endpoints"]
        assert endpoint["honorLabels"] is True

    def test_rank_0_of_a_training_is_scraped(self) -> None:
        spec = one(render(CASES["monitoring"]), "PodMonitor")["spec"]
        assert spec["selector"]["matchLabels"] == {operator_names.STAGE: Stage.TRAIN}
        assert spec["namespaceSelector"] == {"any": True}
        (endpoint,) = spec["podMetricsEndpoints"]
        assert endpoint["port"] == operator_names.METRICS_PORT_NAME
        keep, *kept = endpoint["relabelings"]
        meta = {_meta(label) for label in operator_names.labels(fine_tune(), Stage.TRAIN, 1)}
        assert {source for rule in kept for source in rule["sourceLabels"]} <= meta
        assert keep["action"] == "keep"
        for backend in BACKENDS.values():
            for index, is_kept in (("0", True), ("1", False), ("10", False)):
                labels = {_meta(backend.index_label): index}
                value = ";".join(labels.get(source, "") for source in keep["sourceLabels"])
                assert bool(re.fullmatch(keep["regex"], value)) is is_kept

    def test_only_the_served_namespaces_are_scraped(self) -> None:
        spec = one(render(CASES["monitored namespaces"]), "PodMonitor")["spec"]
        assert spec["namespaceSelector"] == {"matchNames": ["team-a", "team-b"]}

    def test_files_arrive_as_they_are(self, tmp_path: Path) -> None:
        chart = observed_chart(tmp_path)
        objects = {obj["metadata"]["name"]: obj for obj in render(CASES["monitoring"], chart)}
        dashboard = objects["blendtune-dashboard-example"]
        text = (chart / "dashboards/example.json").read_text()
        assert dashboard["data"] == {"blendtune-example.json": text}
        assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert dashboard["metadata"]["annotations"] == {"grafana_folder": "Blendtune"}
        rules = yaml.safe_load((chart / "rules/example.yaml").read_text())
        assert objects["blendtune-example"]["spec"] == rules

    def test_the_application_of_the_example_brings_alerts_and_dashboards(self) -> None:
        application = yaml.safe_load((ROOT / "gitops/example/apps/blendtune.yaml").read_text())
        values = application["spec"]["source"]["helm"]["valuesObject"]
        objects = render(values)
        kinds = {obj["kind"] for obj in objects if f"{obj['kind']}/{obj['metadata']['name']}" not in DEFAULT}
        assert kinds == {"ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap"}
        assert container(objects)["image"].startswith(f"{values['imageRegistry']}/blendtune/operator:")

    def test_runbooks_are_where_the_chart_is_told(self) -> None:
        base = "https://docs.example.com/runbooks/"
        values = {"metrics": {"prometheusRule": {"enabled": True, "runbookBaseUrl": base}}}
        for told, page in ((values, base), (CASES["monitoring"], "docs/runbooks.md")):
            rules = [obj for obj in render(told) if obj["kind"] == "PrometheusRule"]
            urls = {
                rule["alert"]: rule["annotations"]["runbook_url"]
                for obj in rules
                for group in obj["spec"]["groups"]
                for rule in group["rules"]
            }
            assert len(urls) > 10
            assert urls == {alert: f"{page}#{alert.lower()}" for alert in urls}


class TestNetworkPolicy:
    def test_the_way_out(self) -> None:
        spec = one(render(CASES["confined"]), "NetworkPolicy")["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        api_server, dns, trainings = spec["egress"]
        block = {"ipBlock": {"cidr": "10.0.0.1/32"}}
        assert api_server == {"ports": [{"protocol": "TCP", "port": 6443}], "to": [block]}
        assert {(port["protocol"], port["port"]) for port in dns["ports"]} == {("UDP", 53), ("TCP", 53)}
        assert trainings["ports"] == [{"protocol": "TCP", "port": operator_names.METRICS_PORT}]
        (peer,) = trainings["to"]
        (stages,) = peer["podSelector"]["matchExpressions"]
        assert (stages["key"], stages["values"]) == (operator_names.STAGE, [Stage.REHEARSE, Stage.TRAIN])
        assert peer["namespaceSelector"] == {}

    def test_the_way_in(self) -> None:
        (rule,) = one(render(CASES["confined"]), "NetworkPolicy")["spec"]["ingress"]
        assert rule["ports"] == [{"protocol": "TCP", "port": "metrics"}]
        assert rule["from"] == CASES["confined"]["networkPolicy"]["metricsFrom"]

    def test_it_reaches_no_other_namespace_than_those_served(self) -> None:
        egress = one(render(CASES["monitored namespaces"]), "NetworkPolicy")["spec"]["egress"]
        (peer,) = egress[-1]["to"]
        (expression,) = peer["namespaceSelector"]["matchExpressions"]
        assert (expression["operator"], expression["values"]) == ("In", ["team-a", "team-b"])


def test_a_list_of_presets_is_json() -> None:
    presets = json.loads(environment(render(CASES["settings"]))["BLENDTUNE_GPU_PRESETS"])
    assert presets == CASES["settings"]["runs"]["gpuPresets"]
