"""The manifests for Kubernetes: against its own schemas, and against what our processes take.

No cluster runs here; what a kubelet does with a pod is told by the schema and by our settings.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from reward_service.settings import Settings, load_settings

KUBERNETES = Path(__file__).parents[2] / "deploy/kubernetes"
OBJECTS: list[dict[str, Any]] = list(
    yaml.safe_load_all((KUBERNETES / "rulegrade.yaml").read_text())
)
PODS = {
    one["metadata"]["name"]: one["spec"]["template"]
    for one in OBJECTS
    if one["kind"] == "Deployment"
}
SECRETS = {"redis-url": "redis://redis:6379/0", "api-keys": f"trainer:sha256:{'0' * 64}"}
RELEASES = ("1.33", kubernetes_validate.latest_version())  # the oldest that our runner needs


def name_of(thing: dict[str, Any]) -> str:
    return f"{thing['kind']}-{thing['metadata']['name']}"


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("thing", OBJECTS, ids=name_of)
def test_the_schema_of_kubernetes_takes_it(thing: dict[str, Any], release: str) -> None:
    kubernetes_validate.validate(thing, release, strict=True)


def test_the_schema_refuses_a_misspelt_field() -> None:
    thing = {**OBJECTS[0], "spec": {**OBJECTS[0]["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(thing, RELEASES[0], strict=True)


def environment(pod: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that a process reads in `pod`, beside what a kubelet tells it of Services."""
    for name in [name for name in os.environ if name.startswith("RULEGRADE_")]:
        monkeypatch.delenv(name)
    spec = PODS[pod]["spec"]
    if spec.get("enableServiceLinks", True):
        for service in (one for one in OBJECTS if one["kind"] == "Service"):
            prefix = service["metadata"]["name"].upper().replace("-", "_")
            monkeypatch.setenv(f"{prefix}_PORT", "tcp://10.0.0.11:8000")
    for variable in spec["containers"][0]["env"]:
        secret = variable.get("valueFrom", {}).get("secretKeyRef", {})
        value = SECRETS[secret["key"]] if secret else variable["value"]
        monkeypatch.setenv(variable["name"], value)
        assert variable["name"].removeprefix("RULEGRADE_").lower() in Settings.model_fields
    return load_settings()


@pytest.mark.parametrize("pod", PODS)
def test_a_pod_is_probed_where_it_listens_and_ends_after_its_drain(
    pod: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = environment(pod, monkeypatch)
    spec = PODS[pod]["spec"]
    (container,) = spec["containers"]
    (port,) = container["ports"]
    is_api = "args" not in container and "runner" not in container["image"]
    assert port["containerPort"] == (settings.port if is_api else settings.probe_port)
    annotations = PODS[pod]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])
    for probe, path in {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez"}.items():
        assert container[f"{probe}Probe"]["httpGet"] == {"path": path, "port": port["name"]}
    before = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [0])
    assert spec["terminationGracePeriodSeconds"] >= settings.drain_s + int(before[-1]) + 5


@pytest.mark.parametrize("pod", PODS)
def test_a_pod_is_locked_down_and_bounded(pod: str) -> None:
    spec = PODS[pod]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["automountServiceAccountToken"] is False
    assert not [volume for volume in spec["volumes"] if "hostPath" in volume]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
    assert "memory" in container["resources"]["limits"]
    unmasked = container["securityContext"].get("procMount") == "Unmasked"
    assert not unmasked or spec["hostUsers"] is False


def test_what_points_at_pods_finds_some() -> None:
    labels = [pod["metadata"]["labels"] for pod in PODS.values()]
    for selector in selectors():
        asked = selector.get("matchLabels", {}).items()
        assert any(asked <= found.items() for found in labels), selector
        for wanted in selector.get("matchExpressions", ()):
            assert set(wanted["values"]) <= {found[wanted["key"]] for found in labels}


def selectors() -> Iterator[dict[str, Any]]:
    for one in OBJECTS:
        spec = one["spec"]
        if one["kind"] == "Service":
            yield {"matchLabels": spec["selector"]}
        else:
            yield from (spec[key] for key in ("selector", "podSelector") if key in spec)


def test_autoscalers_scale_what_there_is_by_a_metric_that_the_adapter_serves() -> None:
    adapter = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text())
    served = {rule["seriesQuery"] for rule in adapter["rules"]["external"]}
    scalers = [one["spec"] for one in OBJECTS if one["kind"] == "HorizontalPodAutoscaler"]
    assert scalers
    for spec in scalers:
        assert spec["scaleTargetRef"]["name"] in PODS
        assert {metric["external"]["metric"]["name"] for metric in spec["metrics"]} <= served
