"""Who may import whom, and how much a process loads: seen in fresh interpreters, not in this one."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "torchvision", "numpy", "workers")


def loaded_after(statement: str, environment: dict[str, str], root: Path, tmp_path: Path) -> set[str]:
    """The names of all modules that a fresh interpreter has loaded after ``statement``."""
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "ARTSITE_DATA": str(tmp_path / "data")},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return set(json.loads(answer.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", ["artsite.asgi", "artsite.celery", "manage"])
def test_the_web_loads_neither_torch_nor_the_workers(
    module: str, child_environment: dict[str, str], root: Path, tmp_path: Path
) -> None:
    loaded = loaded_after(f"import {module}", child_environment, root, tmp_path)
    assert not loaded & set(HEAVY)


def test_every_page_and_command_loads_without_torch(
    child_environment: dict[str, str], root: Path, tmp_path: Path
) -> None:
    loaded = loaded_after(
        "import pkgutil, importlib, artsite.asgi, gallery, artsite\n"
        "from django.urls import get_resolver; get_resolver().url_patterns\n"
        "for package in (gallery, artsite):\n"
        "    for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(found.name)",
        {**child_environment, "DJANGO_SETTINGS_MODULE": "artsite.settings"},
        root,
        tmp_path,
    )
    assert "gallery.live.consumers" in loaded
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("module", ["workers", "workers.app", "workers.tasks", "workers.registry"])
def test_a_worker_starts_without_torch(
    module: str, child_environment: dict[str, str], root: Path, tmp_path: Path
) -> None:
    # Tasks need the models, which the application sets up first.
    before = "import workers.app\n" if module == "workers.tasks" else ""
    loaded = loaded_after(f"{before}import {module}", child_environment, root, tmp_path)
    assert module in loaded
    assert not loaded & {"torch", "torchvision"}


def test_networks_and_engines_load_without_the_web(
    child_environment: dict[str, str], root: Path, tmp_path: Path
) -> None:
    loaded = loaded_after(
        "import pkgutil, importlib, workers.nets, workers.engines\n"
        "for package in (workers.nets, workers.engines):\n"
        "    for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(found.name)",
        child_environment,
        root,
        tmp_path,
    )
    assert "workers.engines.base" in loaded
    assert not loaded & {"django", "celery", "channels", "redis", "gallery", "artsite"}


def test_the_import_rules_hold(root: Path) -> None:
    linter = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert linter, "import-linter is not installed"
    answer = subprocess.run([linter, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout
    assert "0 broken" in answer.stdout


def test_the_web_image_has_no_worker_code_and_still_serves(
    child_environment: dict[str, str], root: Path, tmp_path: Path
) -> None:
    """What deploy/web.Dockerfile copies is enough: the site loads where ``workers/`` does not exist."""
    copied = [
        word
        for line in (root / "deploy" / "web.Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
        if not word.startswith("--")
    ]
    assert "gallery" in {name.strip("./") for name in copied}
    image = tmp_path / "image"
    image.mkdir()
    for name in (name.strip("./") for name in copied):
        source = root / name
        if source.is_dir():
            shutil.copytree(source, image / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, image / name)
    assert not (image / "workers").exists()
    # The repository is installed beside the interpreter; here only the other packages are kept.
    packages = [path for path in sys.path if path.endswith("site-packages")]
    loaded = loaded_after(
        f"sys.path[:] = [path for path in sys.path if 'editable' not in path and path != {str(root)!r}]\n"
        f"sys.meta_path[:] = [finder for finder in sys.meta_path if 'editable' not in repr(finder).lower()]\n"
        f"sys.path[:0] = [{str(image)!r}]\n"
        "import artsite.asgi, artsite\n"
        f"assert artsite.__file__.startswith({str(image)!r}), artsite.__file__\n"
        "from django.urls import get_resolver; get_resolver().url_patterns\n"
        "from django.core.management import call_command; call_command('check')\n"
        "import importlib.util; assert importlib.util.find_spec('workers') is None\n",
        {**child_environment, "PYTHONPATH": ":".join(packages)},
        image,
        tmp_path,
    )
    assert "gallery.models" in loaded


def test_no_module_is_a_god_file(root: Path) -> None:
    sizes = {
        str(path.relative_to(root)): len(path.read_text().splitlines())
        for folder in ("artsite", "gallery", "workers")
        for path in (root / folder).rglob("*.py")
        if "migrations" not in path.parts
    }
    assert {name: lines for name, lines in sizes.items() if lines > 450} == {}


def test_tests_do_not_mock_our_own_parts(root: Path) -> None:
    """``unittest.mock`` replaces what a test is there to see; real processes are cheap here."""
    for path in (root / "tests").rglob("*.py"):
        imported = {
            name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            )
        }
        assert "unittest.mock" not in imported, path
