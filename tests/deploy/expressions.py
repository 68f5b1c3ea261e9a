"""The PromQL of what lies in deploy."""

import json
from collections.abc import Iterator
from pathlib import Path

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"


def of_dashboard() -> Iterator[str]:
    """What the panels ask for."""
    dashboard = json.loads((DEPLOY / "grafana/dashboards/rulegrade.json").read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def of_alerts() -> Iterator[str]:
    """The conditions of the alerts."""
    for group in yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def of_autoscalers() -> Iterator[str]:
    """The series behind the metrics that autoscalers read."""
    adapter = yaml.safe_load((DEPLOY / "kubernetes/prometheus-adapter.yaml").read_text())
    yield from (rule["seriesQuery"] for rule in adapter["rules"]["external"])
