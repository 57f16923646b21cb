"""The service profile without a container engine: the files are valid, and every command runs for real.

Commands and variables are taken from docker-compose.yml as they stand there; only addresses, ports and
folders are this machine's. PostgreSQL and Valkey are real.
"""

from __future__ import annotations

import html.parser
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import psycopg
import pytest
import yaml

from artsite import env, limits, studio
from artsite.broker import broker_binary
from tests import toy_engines
from tests.live.stack import Stack

PARTS = {
    "web",
    "migrate",
    "scheduler",
    "worker-gan",
    "worker-cnn",
    "worker-rnn",
    "postgres",
    "valkey",
    "proxy",
}
OURS = {"web", "migrate", "scheduler", "worker-gan", "worker-cnn", "worker-rnn"}
SECRETS = {
    "ARTSITE_SECRET_KEY": "k8V-0aQ2_m4Zx7Lw1RtY9bNc5HdJs3FgUeXoPiTqSrAvBzKyMlWn",
    "ARTSITE_HOSTS": "art.example",
    "ARTSITE_ORIGINS": "https://art.example",
    "POSTGRES_PASSWORD": "long and random",
    "POSTGRES_ADMIN_PASSWORD": "another one",
    "VALKEY_PASSWORD": "aBrokersPassword1",
    "ARTSITE_EMAIL_URL": "smtp://127.0.0.1:9",
}
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    """docker-compose.yml with its variables filled in, as ``docker compose config`` would."""
    text = (root / "docker-compose.yml").read_text()
    parsed: dict[str, Any] = yaml.safe_load(
        re.sub(r"\$\{(\w+)[^}]*\}", lambda m: SECRETS.get(m[1], ""), text)
    )
    return parsed


# --- The files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.gpu.yml"])
def test_the_compose_files_follow_the_compose_specification(root: Path, name: str) -> None:
    schema = json.loads((root / "tests/live/compose-spec.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load((root / name).read_text()))


def test_every_part_is_there_and_restrained(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == PARTS
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].split(":")[0] not in ("0", "root"), name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert "healthcheck" in service or name == "migrate", name
    assert set(compose["volumes"]) >= {
        volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }


def test_only_the_proxy_has_ports_and_the_workers_have_no_way_out(compose: dict[str, Any]) -> None:
    services, networks = compose["services"], compose["networks"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert networks["inside"] == {"internal": True}
    for name in ("worker-gan", "worker-cnn", "worker-rnn", "postgres", "valkey", "scheduler", "migrate"):
        assert services[name]["networks"] == ["inside"], name


def test_services_know_only_documented_variables_and_demand_their_secrets(
    root: Path, compose: dict[str, Any]
) -> None:
    for name in OURS:
        given = compose["services"][name]["environment"]
        others = {variable.name for variable in env.COMPOSE}
        assert set(given) <= set(env.VARIABLES) | others, name
        # .env is read whole: what only the database and the broker need is taken out again.
        assert {given[secret] for secret in others & set(given)} == {""}, name
        assert others - set(given) <= {"TORCH_INDEX"}, name
        assert (given["ARTSITE_EMAIL_URL"] == "") == name.startswith("worker"), name
    demanded = set(re.findall(r"\$\{(\w+):\?", (root / "docker-compose.yml").read_text()))
    assert demanded == set(SECRETS)
    assert demanded <= set(env.VARIABLES) | {variable.name for variable in env.COMPOSE}


def test_the_gpu_file_changes_existing_services_only(root: Path, compose: dict[str, Any]) -> None:
    for name, service in yaml.safe_load((root / "docker-compose.gpu.yml").read_text())["services"].items():
        assert name in compose["services"]
        assert service["deploy"]["resources"]["reservations"]["devices"][0]["driver"] == "nvidia"
        assert set(service["environment"]) <= set(env.VARIABLES)


def test_the_same_server_limits_hold_everywhere(root: Path, compose: dict[str, Any]) -> None:
    """Connections, message sizes and pings are those of ``make run``; only time-outs suit the proxy."""
    flags = [flag for flag in studio.WEB_FLAGS if flag.startswith("--")]
    values = dict(zip(studio.WEB_FLAGS, studio.WEB_FLAGS[1:], strict=False))
    said = dict(flag.split("=", 1) for flag in compose["services"]["web"]["command"] if "=" in flag)
    for flag in flags:
        if flag.startswith("--timeout"):
            assert flag in said
        elif flag.startswith("--no-"):
            assert flag in compose["services"]["web"]["command"]
        else:
            assert said[flag] == values[flag]
    for queue in ("gan", "cnn", "rnn"):
        expected = studio.worker_command(queue, queue)[1:]
        assert [word for word in expected if word != "-q"] == compose["services"][f"worker-{queue}"][
            "command"
        ][1:]


def test_the_cluster_runs_the_same_commands(root: Path, compose: dict[str, Any]) -> None:
    found = {}
    for path in (root / "deploy/k8s").glob("*.yaml"):
        for document in yaml.safe_load_all(path.read_text()):
            if document["kind"] in ("Deployment", "Job"):
                pod = document["spec"]["template"]["spec"]
                container = pod["containers"][0]
                found[document["metadata"]["name"]] = container["command"]
                assert pod["securityContext"]["runAsNonRoot"] is True
                assert container["securityContext"]["readOnlyRootFilesystem"] is True
                assert container["resources"]["limits"]["memory"]
            if document["kind"] == "ConfigMap":
                assert set(document["data"]) <= set(env.VARIABLES)
            if document["kind"] == "Kustomization":
                assert set(document["resources"]) == {
                    other.name for other in (root / "deploy/k8s").glob("*.yaml")
                } - {"kustomization.yaml"}
    assert found == {name: compose["services"][name]["command"] for name in OURS}


def test_the_proxy_caps_bodies_and_serves_what_is_permitted(root: Path, compose: dict[str, Any]) -> None:
    nginx = (root / "deploy/nginx.conf").read_text()
    everywhere = re.search(r"^    client_max_body_size (\d+)m;", nginx, re.M)
    assert everywhere
    assert int(everywhere[1]) == limits.PLAIN_BYTES // 2**20
    (uploads,) = limits.UPLOAD_PATHS
    studio_block = re.search(rf"location {uploads} \{{(.*?)\}}", nginx, re.S)
    assert studio_block
    assert "proxy_request_buffering off;" in studio_block[1]
    cap = re.search(r"client_max_body_size (\d+)m;", studio_block[1])
    assert cap
    largest = limits.PICTURES_PER_FORM * int(env.VARIABLES["ARTSITE_MAX_UPLOAD_MB"].default)
    assert int(cap[1]) == largest + limits.PLAIN_BYTES // 2**20
    ingress = (root / "deploy/k8s/web.yaml").read_text()
    assert f"proxy-body-size: {cap[1]}m\n" in ingress
    location = compose["services"]["web"]["environment"]["ARTSITE_MEDIA_URL"]
    block = re.search(rf"location {location} \{{(.*?)\}}", nginx, re.S)
    assert block
    assert "internal;" in block[1]
    assert "media:/data/media:ro" in compose["services"]["proxy"]["volumes"]
    assert "alias /data/media/;" in block[1]


# --- Every command, for real -------------------------------------------------------------------------


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """The processes of docker-compose.yml on this machine."""

    def __init__(self, compose: dict[str, Any], folder: Path, postgres_url: str) -> None:
        self.compose = compose
        self.broker_port, self.web_port = free_port(), free_port()
        variables = {
            **compose["services"]["web"]["environment"],
            "DATABASE_URL": postgres_url,
            "REDIS_URL": f"redis://:{SECRETS['VALKEY_PASSWORD']}@127.0.0.1:{self.broker_port}",
            "ARTSITE_DATA": str(folder / "data"),
            "ARTSITE_STATIC": str(folder / "static"),
            "ARTSITE_ENGINES": toy_engines.ALL,
        }
        self.stack = Stack(folder, database_url=postgres_url, env=variables)
        self.media = folder / "data" / "media"

    def command(self, part: str) -> list[str]:
        """The part's command; its program and port are this machine's."""
        words = [str(word) for word in self.compose["services"][part]["command"]]
        programs = {"python": sys.executable, "valkey-server": str(broker_binary())}
        words[0] = programs[words[0]]
        return [f"--port={self.web_port}" if word == "--port=8000" else word for word in words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        return subprocess.run(
            [sys.executable, *words],
            env=self.stack.env,
            cwd=Path(__file__).resolve().parent.parent.parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def web_answers(self) -> bool:
        """Whether the web's port is open."""
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.web_port)) == 0

    def health(self, part: str) -> subprocess.CompletedProcess[str]:
        """The part's health check, as the container engine runs it."""
        words = self.compose["services"][part]["healthcheck"]["test"]
        assert words[:2] == ["CMD", "python"]
        port = ["--port", str(self.web_port)] if part == "web" else []
        return self.run(*words[2:], *port)


@pytest.fixture(scope="module")
def service(
    compose: dict[str, Any], postgres_url: str, valkey_binary: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("CREATE DATABASE service_profile")
    folder = tmp_path_factory.mktemp("service")
    made = Service(compose, folder / "s", postgres_url.replace("/postgres?", "/service_profile?"))
    with made.stack as stack:
        stack.start(
            "valkey", [*made.command("valkey"), "--port", str(made.broker_port), "--dir", str(stack.data)]
        )
        migrated = made.run(*made.command("migrate")[1:])
        assert migrated.returncode == 0, migrated.stderr
        # deploy/web.Dockerfile does this when the image is built.
        collected = made.run("manage.py", "collectstatic", "--noinput", "-v", "0")
        assert collected.returncode == 0, collected.stderr
        for part in ("web", "scheduler", "worker-gan", "worker-cnn", "worker-rnn"):
            stack.start(part, made.command(part))
        stack.wait_for(lambda: made.web_answers() and stack.ask("workers.online().count()") == 3)
        yield made


class Visitor:
    """A browser behind the proxy: https outside, http inside, cookies that are marked secure."""

    def __init__(self, port: int) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        self._cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {
            "Host": "art.example",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": "192.0.2.7",
            "Referer": f"https://art.example{path}",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
        }
        answer = self._client.request(method, path, headers=headers, **options)
        for header in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(header).items():
                assert morsel["secure"] or not name.endswith(("_session", "_csrf")), name
                self._cookies[name] = morsel.value
        return answer

    def send_form(self, path: str, **fields: str) -> httpx.Response:
        """Fill the page's form in and send it, hidden fields and all."""
        page = self.ask("GET", path)
        assert page.status_code == 200, (page.status_code, page.headers)
        hidden = HiddenFields()
        hidden.feed(page.text)
        return self.ask("POST", path, data={**hidden.values, **fields})

    def close(self) -> None:
        self._client.close()


class HiddenFields(html.parser.HTMLParser):
    """Names and values of a page's hidden inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input" and found.get("type") == "hidden" and found.get("name") != "next":
            self.values[str(found["name"])] = found.get("value") or ""


@pytest.fixture
def visitor(service: Service) -> Iterator[Visitor]:
    made = Visitor(service.web_port)
    yield made
    made.close()


@pytest.mark.postgres
def test_every_part_is_healthy_and_says_so_in_json(service: Service) -> None:
    for part in ("web", "scheduler", "worker-gan"):
        assert service.health(part).returncode == 0
    lines = service.stack.children["worker-gan"].log.read_text().splitlines()
    said = [json.loads(line) for line in lines if line.startswith("{")]
    assert any(line["logger"].startswith("workers") for line in said)


@pytest.mark.postgres
def test_the_deployment_check_is_clean(service: Service) -> None:
    checked = service.run("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.postgres
def test_plain_http_and_other_hosts_are_turned_away(service: Service) -> None:
    url = f"http://127.0.0.1:{service.web_port}"
    plain = httpx.get(url + "/", headers={"Host": "art.example"})
    assert plain.status_code == 301
    assert plain.headers["location"].startswith("https://art.example/")
    wrong = httpx.get(url + "/", headers={"Host": "evil.example", "X-Forwarded-Proto": "https"})
    assert wrong.status_code == 400


@pytest.mark.postgres
def test_a_job_goes_all_the_way_from_the_proxy_to_a_worker_and_back(
    service: Service, visitor: Visitor
) -> None:
    made = subprocess.run(
        [
            sys.executable,
            "manage.py",
            "createsuperuser",
            "--noinput",
            "--username",
            "ana",
            "--email",
            "a@art.example",
        ],
        env={**service.stack.env, "DJANGO_SUPERUSER_PASSWORD": PASSWORD},
        cwd=Path(__file__).resolve().parent.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    signed_in = visitor.send_form("/accounts/login/", login="ana", password=PASSWORD)
    assert signed_in.status_code == 302, signed_in.text
    submitted = visitor.send_form("/studio/paint/", prompt="steps=2", count="2", seed="7")
    assert submitted.status_code == 302, submitted.text
    page = submitted.headers["location"]
    state = f"{page.rstrip('/')}.json"
    job: dict[str, Any] = {}

    def ended() -> bool:
        job.update(visitor.ask("GET", state).json())
        return job["state"] in ("succeeded", "failed")

    service.stack.wait_for(ended)
    assert job["state"] == "succeeded", job
    assert len(job["outputs"]) == 2
    picture = visitor.ask("GET", job["outputs"][0]["url"])
    assert picture.status_code == 200
    assert picture.headers["content-type"] == "image/png"
    location = picture.headers["x-accel-redirect"]
    assert location.startswith("/protected/")
    # What the proxy's alias makes of it.
    assert (service.media / location.removeprefix("/protected/")).read_bytes().startswith(b"\x89PNG")
    assert not picture.content
    stranger = Visitor(service.web_port)
    assert stranger.ask("GET", job["outputs"][0]["url"]).status_code == 404
    stranger.close()


@pytest.mark.postgres
def test_the_health_checks_notice_what_is_gone(service: Service) -> None:
    children = service.stack.children
    for part in ("worker-gan", "worker-cnn", "worker-rnn"):
        assert children[part].stop(20) == 0
    gone = service.health("worker-gan")
    assert gone.returncode == 1
    assert "no worker" in gone.stderr
    children["web"].stop()
    assert "does not answer" in service.health("web").stderr
    late = "Job.objects.update(state='running', lease_expires_at='2020-01-01T00:00:00Z')"
    children["scheduler"].stop()
    service.stack.ask(late)
    assert service.health("scheduler").returncode == 1
