"""The files of deploy/: they parse, and what they name (metrics, labels, ports, paths, variables) is what the server has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.operations_tables import samples

from supportbot.cli.serve import options_of
from supportbot.cli.surroundings import DEFAULT_PORT, store_file
from supportbot.compiler.compile import load_bot
from supportbot.server.app import routes
from supportbot.server.options import ServerLimits

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
YAML_FILES = sorted(path.relative_to(ROOT).as_posix() for path in DEPLOY.rglob("*.yaml"))
PROMTOOL = shutil.which("promtool")
GRAFANA_WORDS = {"$__rate_interval": "5m", "$__range": "1h", "$instance": ".*"}
METRIC = re.compile(r"\b(?:supportbot|process)_[a-z_]+\b")
SELECTED = re.compile(r"\b((?:supportbot|process)_[a-z_]+)\{([^}]*)\}")
STATIC = {path for route in routes() if "{" not in (path := route.path)}


def documents(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def grafana_expressions() -> Iterator[str]:
    board = json.loads((DEPLOY / "grafana/supportbot.json").read_text("utf-8"))
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (item["expr"] for item in board["annotations"]["list"])
    yield from (item["definition"] for item in board["templating"]["list"])


def alert_rules() -> list[dict[str, Any]]:
    groups = documents(DEPLOY / "prometheus/alerts.yaml")[0]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    found = [*grafana_expressions(), *(rule["expr"] for rule in alert_rules())]
    tests = documents(DEPLOY / "prometheus/alerts_test.yaml")[0]["tests"]
    return found + [series["series"] for test in tests for series in test["input_series"]]


@pytest.mark.parametrize("name", YAML_FILES)
def test_yaml_is_read(name: str) -> None:
    assert all(isinstance(document, dict) for document in documents(ROOT / name))


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_metrics_and_labels_exist(expression: str) -> None:
    for name in METRIC.findall(expression):
        assert name in samples(), f"{name} is not among the metrics of /metrics"
    for name, selectors in SELECTED.findall(expression):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selectors):
            assert label in samples()[name] | {"instance", "job"}, f"{name} has no label {label}"


@pytest.mark.parametrize("expression", sorted({*grafana_expressions(), *(rule["expr"] for rule in alert_rules())}))
def test_figures_are_grouped_by_labels_that_exist(expression: str) -> None:
    names = METRIC.findall(expression)
    known = {"instance", "job"}.union(*(samples()[name] for name in names))
    for group in re.findall(r"\bby \(([^)]*)\)", expression):
        assert {label.strip() for label in group.split(",")} <= known


def test_the_test_of_metric_names_can_fail() -> None:
    assert "supportbot_messages_total" in samples()
    assert "supportbot_messages" not in samples()
    assert "supportbot_turn_duration_seconds_bucket" in samples()


def test_every_alert_is_tested_and_in_the_runbook() -> None:
    tests = documents(DEPLOY / "prometheus/alerts_test.yaml")[0]["tests"]
    raised = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case.get("exp_alerts")}
    runbook = (ROOT / "docs/operations.md").read_text("utf-8")
    for rule in alert_rules():
        assert rule["alert"] in raised, f"no test raises {rule['alert']}"
        assert f"`{rule['alert']}`" in runbook, f"docs/operations.md does not say what to do about {rule['alert']}"
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_promtool_agrees(tmp_path: Path) -> None:
    assert PROMTOOL is not None
    rules = []
    for number, expression in enumerate(grafana_expressions()):
        if not expression.startswith("label_values"):
            for word, value in GRAFANA_WORDS.items():
                expression = expression.replace(word, value)
            rules.append({"record": f"panel:{number}", "expr": expression})
    board = tmp_path / "board.yaml"
    board.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}), "utf-8")
    folder = DEPLOY / "prometheus"
    for arguments in (
        ("check", "rules", "alerts.yaml", str(board)),
        ("test", "rules", "alerts_test.yaml"),
        ("check", "config", "--syntax-only", "prometheus.yaml"),
    ):
        done = subprocess.run([PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_board_can_be_imported_anywhere() -> None:
    board = json.loads((DEPLOY / "grafana/supportbot.json").read_text("utf-8"))
    assert board["__inputs"][0]["name"] == "DS_PROMETHEUS"
    assert board["id"] is None
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    used = {panel["type"] for panel in board["panels"]} - {"row"}
    assert used == {item["id"] for item in board["__requires"] if item["type"] == "panel"}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${DS_PROMETHEUS}"


def test_no_two_panels_of_the_board_overlap() -> None:
    board = json.loads((DEPLOY / "grafana/supportbot.json").read_text("utf-8"))
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken.get((x, y))}"
                taken[x, y] = panel["title"]


# --- systemd ---------------------------------------------------------------------------------------


def unit() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd/supportbot.service").read_text("utf-8").splitlines():
        name, given, value = line.partition("=")
        if given and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_reloads_stops_and_keeps_its_state() -> None:
    service = unit()
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert service["DynamicUser"] == ["yes"]
    assert service["ProtectSystem"] == ["strict"]
    store = f"/var/lib/{service['StateDirectory'][0]}/"
    assert any(value.startswith(f"SUPPORTBOT_STORE={store}") for value in service["Environment"])
    assert f"--port {DEFAULT_PORT}" in service["ExecStart"][0]
    assert float(service["TimeoutStopSec"][0]) > stopping_seconds()


def stopping_seconds() -> float:
    """What the server takes at most from SIGTERM to its end."""
    limits = ServerLimits()
    return limits.drain + limits.grace


# --- containers ------------------------------------------------------------------------------------


def test_compose_publishes_what_the_server_listens_on() -> None:
    bot = documents(DEPLOY / "compose.yaml")[0]["services"]["bot"]
    environment = {name: value for name, value in bot["environment"].items() if not value.startswith("$")}
    options = options_of(environment, None, None)
    assert options.host == "0.0.0.0"
    assert bot["ports"] == [f"127.0.0.1:{options.port}:{options.port}"]
    assert bot["read_only"] is True
    assert bot["cap_drop"] == ["ALL"]
    assert float(bot["stop_grace_period"].removesuffix("s")) > stopping_seconds()
    folder = str(Path(environment["SUPPORTBOT_STORE"]).parent)
    assert f"data:{folder}" in bot["volumes"], "on a read-only root the store needs a volume"
    assert f"VOLUME {folder}" in (ROOT / "Dockerfile").read_text("utf-8"), "so that the volume belongs to the user"


def test_compose_mounts_files_that_exist() -> None:
    compose = documents(DEPLOY / "compose.yaml")[0]
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).exists(), source
    for scrape in documents(DEPLOY / "prometheus/prometheus.yaml")[0]["scrape_configs"]:
        assert scrape["static_configs"][0]["targets"] == [f"bot:{DEFAULT_PORT}"]
        assert scrape["authorization"]["credentials_file"] == "/run/secrets/supportbot_admin_token"
        assert scrape["metrics_path"] in STATIC


def test_the_dockerfile_is_slim_and_without_root() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert all(image.endswith("-slim") for image in stages)
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER bot$", last, re.MULTILINE)
    assert last.index("USER bot") < last.index("CMD")
    assert "HEALTHCHECK" in last
    port = re.search(r"\bPORT=(\d+)", last)
    assert port is not None
    assert f"EXPOSE {port[1]}" in last
    assert int(port[1]) == DEFAULT_PORT
    for path in re.findall(r"(?:--get |\d|%s)(/[a-z]+)", last):
        assert path in STATIC, path


def test_platforms_ask_a_path_that_exists() -> None:
    railway = json.loads((ROOT / "railway.json").read_text("utf-8"))
    assert railway["deploy"]["healthcheckPath"] in STATIC
    assert railway["deploy"]["drainingSeconds"] > stopping_seconds()
    assert (ROOT / railway["build"]["dockerfilePath"]).exists()
    assert (ROOT / "Procfile").read_text("utf-8") == "web: supportbot serve\n"
    options = options_of({"PORT": "5000"}, None, None)
    assert (options.host, options.port) == ("0.0.0.0", 5000)


# --- Kubernetes ------------------------------------------------------------------------------------


def manifest(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        item for item in documents(DEPLOY / "kubernetes/supportbot.yaml") if item["kind"] == kind
    )
    return found


def pod() -> dict[str, Any]:
    found: dict[str, Any] = manifest("StatefulSet")["spec"]["template"]["spec"]
    return found


def test_the_probes_ask_paths_that_exist() -> None:
    container = pod()["containers"][0]
    port = container["ports"][0]
    environment = {item["name"]: item["value"] for item in container["env"] if "value" in item}
    assert port["containerPort"] == options_of(environment, None, None).port
    paths = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {"startupProbe": "/readyz", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert set(paths.values()) <= STATIC
    assert pod()["terminationGracePeriodSeconds"] > stopping_seconds()


def test_the_pod_has_no_root_and_writes_to_volumes_only() -> None:
    spec = pod()
    container = spec["containers"][0]
    assert spec["securityContext"]["runAsNonRoot"] is True
    user = re.search(r"--uid (\d+)", (ROOT / "Dockerfile").read_text("utf-8"))
    assert user is not None
    assert spec["securityContext"]["runAsUser"] == int(user[1])
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {item["name"]: item["mountPath"] for item in container["volumeMounts"]}
    provided = {item["name"] for item in spec["volumes"]} | {
        item["metadata"]["name"] for item in manifest("StatefulSet")["spec"]["volumeClaimTemplates"]
    }
    assert set(mounts) == provided
    store = next(item["value"] for item in container["env"] if item["name"] == "SUPPORTBOT_STORE")
    assert store.startswith(mounts["data"] + "/")


def test_secrets_are_references() -> None:
    for item in pod()["containers"][0]["env"]:
        if re.search("TOKEN|KEY|SECRET|WEBHOOK", item["name"]):
            assert "secretKeyRef" in item["valueFrom"]


def config_map(folder: Path) -> Path:
    """The bot of the manifest, laid out the way a kubelet mounts it: links to a folder that is swapped at once."""
    data = manifest("ConfigMap")["data"]
    items = next(item for item in pod()["volumes"] if item["name"] == "bot")["configMap"]["items"]
    assert {item["key"] for item in items} == set(data)
    real = folder / "..2026_11_23_10_15_00.1"
    for item in items:
        file = real / item["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(data[item["key"]], "utf-8")
    (folder / "..data").symlink_to(real.name)
    for name in {item["path"].split("/")[0] for item in items}:
        (folder / name).symlink_to(f"..data/{name}")
    return folder


def test_the_bot_in_the_manifest_has_no_mistakes(tmp_path: Path) -> None:
    loaded = load_bot(config_map(tmp_path))
    assert loaded.diagnostics == ()
    assert loaded.bot is not None
    assert set(loaded.bot.guides) == {"printer_offline"}
    assert store_file(None, tmp_path, {"SUPPORTBOT_STORE": "/var/lib/x.db"}) == Path("/var/lib/x.db")
    assert store_file(None, tmp_path, {}) == tmp_path / "data/sessions.db"
