"""Who may import whom, and how much a process loads: seen in fresh interpreters, not in this one."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

HEAVY = ("torch", "torchvision", "numpy", "workers")
OURS = ("artsite", "gallery", "workers")
LONGEST_MODULE = 400
MOST_FILES = 16


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


def modules_of(root: Path) -> dict[str, Path]:
    """Dotted name -> file of every module of ours."""
    found = {}
    for package in OURS:
        for path in (root / package).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported_names(path: Path) -> set[str]:
    """Every absolute name that a file imports, inside functions too; not what only type checkers read."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def import_graph(root: Path) -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports. A name in a package counts as the package's module."""
    modules = modules_of(root)
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        targets = {name if name in modules else name.rpartition(".")[0] for name in imported_names(path)}
        graph[module] = (targets & set(modules)) - {module}
    return graph


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected components of more than one module (Tarjan 1972)."""
    found: list[set[str]] = []
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for target in sorted(graph[module]):
            if target not in number:
                visit(target)
                lowest[module] = min(lowest[module], lowest[target])
            elif target in stack:
                lowest[module] = min(lowest[module], number[target])
        if lowest[module] == number[module]:
            component = set(stack[stack.index(module) :])
            del stack[stack.index(module) :]
            if len(component) > 1:
                found.append(component)

    for module in graph:
        if module not in number:
            visit(module)
    return found


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}
    assert circles(graph) == [{"b", "c"}]


def test_imports_inside_functions_are_read_and_those_for_type_checkers_are_not(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text(
        "import gallery.models\n"
        "if TYPE_CHECKING:\n    from gallery.live import routing\n"
        "def late():\n    from gallery.services import jobs\n"
    )
    assert imported_names(source) == {"gallery.models", "gallery.services.jobs"}


def test_no_module_imports_itself_in_a_circle(root: Path) -> None:
    graph = import_graph(root)
    assert "gallery.services.jobs" in graph["workers.runtime.lease"]
    assert circles(graph) == []


def test_no_module_is_longer_than_400_lines(root: Path) -> None:
    sizes = {
        module: len(path.read_text().splitlines())
        for module, path in modules_of(root).items()
        if "migrations" not in path.parts
    }
    assert {module: lines for module, lines in sizes.items() if lines > LONGEST_MODULE} == {}


@pytest.mark.parametrize("package", ["gallery", "workers"])
def test_few_modules_lie_at_the_root_of_a_package(package: str, root: Path) -> None:
    modules = [path.name for path in (root / package).glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= 8, modules


def test_no_folder_holds_more_than_sixteen_files(root: Path) -> None:
    counts = Counter(
        path.parent
        for package in (*OURS, "tests")
        for path in (root / package).rglob("*.py")
        if "migrations" not in path.parts
    )
    assert {str(folder.relative_to(root)): n for folder, n in counts.items() if n > MOST_FILES} == {}


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
