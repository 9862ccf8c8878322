"""The chart as helm renders it, and the sets of values with which it is tried."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from tests.e2e.binaries import program

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/blendtune"
RELEASE, NAMESPACE = "blendtune", "blendtune-system"
Object = dict[str, Any]
Values = dict[str, Any]

_DASHBOARD = """{
  "title": "Example",
  "panels": [{"legendFormat": "{{name}}"}]
}
"""
_RULES = """# What to wake somebody for.
groups:
- name: example
  rules:
  - alert: Example
    expr: vector(1) > 0
    annotations: {summary: "{{ $labels.name }} stands"}
"""

DIGEST = f"sha256:{'0' * 64}"
CASES: dict[str, Values] = {
    "default": {},
    "namespaces": {"operator": {"namespaces": ["team-a", "team-b"]}},
    "nothing cluster-wide": {
        "operator": {"namespaces": ["team-a"]},
        "crds": {"enabled": False},
        "rbac": {"aggregate": False},
    },
    "CRDs not kept": {"crds": {"keep": False, "annotations": {"argocd.argoproj.io/sync-wave": "-1"}}},
    "rights from elsewhere": {
        "serviceAccount": {"create": False, "name": "given"},
        "rbac": {"create": False, "aggregate": False},
    },
    "monitoring": {
        "metrics": {
            "labels": {"release": "kube-prometheus-stack"},
            "serviceMonitor": {"enabled": True},
            "podMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True},
        },
        "grafana": {"dashboards": {"enabled": True, "annotations": {"grafana_folder": "Blendtune"}}},
    },
    "monitored namespaces": {
        "operator": {"namespaces": ["team-a", "team-b"]},
        "metrics": {"podMonitor": {"enabled": True}},
        "networkPolicy": {"enabled": True},
    },
    "confined": {
        "networkPolicy": {
            "enabled": True,
            "metricsFrom": [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
            ],
            "apiServerTo": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
            "apiServerPorts": [6443],
        }
    },
    "images": {
        "imageRegistry": "registry.example.com/mirror",
        "image": {"digest": DIGEST, "tag": "unheeded", "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "mirror"}],
        "runs": {"trainer": {"tag": "2.0"}, "eval": {"repository": "own/eval", "digest": DIGEST}},
    },
    "settings": {
        "operator": {
            "workers": 4,
            "logLevel": "DEBUG",
            "resyncSeconds": 60,
            "watchSilenceSeconds": 90,
            "leaseDurationSeconds": 2.5,
        },
        "runs": {
            "gpuPresets": [
                {
                    "name": "b200",
                    "memoryBytes": 193_273_528_320,
                    "peakFlops": 2.25e15,
                    "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-B200"},
                    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                },
                {"name": "no-gpu", "resourceName": None},
            ],
            "allowedServiceAccounts": ["trainer", "exporter"],
            "platformUser": True,
            "backoffBaseSeconds": 0.5,
            "backoffCapSeconds": 60,
            "gracePeriodSeconds": 120,
            "progressIntervalSeconds": 2,
            "obstacleIntervalSeconds": 10,
            "patienceSeconds": 20,
        },
    },
    "placement": {
        "fullnameOverride": "tuner",
        "commonLabels": {"team": "platform"},
        "serviceAccount": {"annotations": {"note": "operator"}},
        "podAnnotations": {"note": "operator"},
        "podLabels": {"cost-centre": "42"},
        "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "infra", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 1,
                        "preference": {"matchExpressions": [{"key": "infra", "operator": "Exists"}]},
                    }
                ]
            }
        },
    },
}


class HelmError(Exception):
    """helm refused; the message is what it printed."""


def helm(*arguments: str | Path, values: Values | None = None, kubeconfig: Path | None = None) -> str:
    """What helm prints. It takes `values` where they are given. Raises HelmError."""
    command = [program("helm"), *map(str, arguments)]
    if values is not None:
        command.append("--values=-")
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig or os.devnull)}
    done = subprocess.run(
        command, input=json.dumps(values or {}), env=environment, capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        raise HelmError(done.stdout + done.stderr)
    return done.stdout


def observed_chart(folder: Path) -> Path:
    """A copy of the chart with one more dashboard and one more file of rules."""
    chart = folder / "blendtune"
    shutil.copytree(CHART, chart)
    for place, text in (("dashboards/example.json", _DASHBOARD), ("rules/example.yaml", _RULES)):
        (chart / place).parent.mkdir(exist_ok=True)
        (chart / place).write_text(text)
    return chart


def render(values: Values, chart: Path = CHART, release: str = RELEASE) -> list[Object]:
    """The objects of a release of the chart."""
    text = helm("template", release, chart, f"--namespace={NAMESPACE}", values=values)
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def one(objects: Iterable[Object], kind: str) -> Object:
    """The only object of a kind."""
    (found,) = (obj for obj in objects if obj["kind"] == kind)
    return found


def names(objects: Iterable[Object]) -> set[str]:
    """Each object as Kind/name, or Kind/namespace/name outside of the release's namespace."""
    return {
        "/".join([obj["kind"], *_place(obj["metadata"].get("namespace")), obj["metadata"]["name"]])
        for obj in objects
    }


def container(objects: Iterable[Object]) -> Object:
    """The operator's container."""
    found: Object = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    return found


def environment(objects: Iterable[Object]) -> dict[str, str]:
    """What the operator's container finds in its environment."""
    return {variable["name"]: variable["value"] for variable in container(objects)["env"]}


def _place(namespace: str | None) -> list[str]:
    return [namespace] if namespace not in (None, NAMESPACE) else []
