"""The architecture's rules, read off the source: who may import whom, what is packaged, one operator one file."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("grammar", "compiler", "runtime", "api")  # each may import itself and those before it
THIRD_PARTY = {
    "grammar": {"lark"},
    "compiler": {"numpy"},
    "runtime": {"numpy", "numba", "llvmlite"},
    "api": {"numpy"},
}
# Optional packages, imported inside functions only.
LAZY = {"api": {"prompt_toolkit", "IPython", "pygments"}, "runtime": {"cairosvg", "PIL"}}
# Packages of the facade that are for those who have an optional package, and what they import at once.
EXTRAS = {"torch": {"torch"}, "jax": {"jax"}}


def sources(layer: str) -> list[Path]:
    found = sorted((ROOT / layer).rglob("*.py"))
    assert found, f"{layer} has no sources"
    return found


def imports(path: Path) -> Iterator[tuple[str, ast.stmt, bool]]:
    """Each imported module of a file with its statement, and whether it is imported when the file is."""
    tree = ast.parse(path.read_text(encoding="utf-8"))

    def visit(node: ast.AST, at_import: bool) -> Iterator[tuple[str, ast.stmt, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, child, at_import) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}:{child.lineno}: a relative import; write arcgrad.…"
                yield str(child.module), child, at_import
            else:
                inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                yield from visit(child, at_import and not inside)

    yield from visit(tree, True)


def layer_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS[:-1] else "api"


# The rooms of a layer; each may import itself and those before it. "" are the modules at the layer's root.
ROOMS = {
    "compiler": ("", "graphs", "operators", "frontend", "plan", "emit"),
    "runtime": ("", "draw", "data", "jit", "kernels", "regions", "build", "reference", "transforms", "call", "inspect"),
}
# Operators are looked up in one folder, one file each, however many there are.
UNBOUNDED = ("compiler/operators",)


def room_of(module: str, layer: str) -> str | None:
    parts = module.split(".")
    if parts[:2] != ["arcgrad", layer]:
        return None
    return parts[2] if len(parts) > 2 and parts[2] in ROOMS[layer] else ""


@pytest.mark.parametrize(
    ("layer", "path"),
    [pytest.param(layer, path, id=str(path.relative_to(ROOT))) for layer in ROOMS for path in sources(layer)],
)
def test_rooms_depend_one_way(layer: str, path: Path) -> None:
    """Imports within functions count, too."""
    own = path.relative_to(ROOT / layer).parts
    room = own[0] if len(own) > 1 else ""
    allowed = ROOMS[layer][: ROOMS[layer].index(room) + 1]
    for module, statement, _ in imports(path):
        found = room_of(module, layer)
        where = f"{path.relative_to(ROOT)}:{statement.lineno}"
        assert found is None or found in allowed, f"{where}: room {room or 'root'} may not import {module}"


def test_every_folder_is_a_room_and_fits_on_a_screen() -> None:
    for layer, rooms in ROOMS.items():
        assert {path.name for path in (ROOT / layer).iterdir() if path.is_dir() and path.name[0] != "_"} <= set(rooms)
    for layer in LAYERS:
        for folder in {path.parent for path in sources(layer)}:
            name = str(folder.relative_to(ROOT))
            assert name in UNBOUNDED or len(list(folder.glob("*.py"))) <= 15, f"{name} has too many files"


def modules_within(layer: str) -> dict[str, set[str]]:
    """Which modules of a layer each of them imports when it is imported, or later."""
    found = {}
    for path in sources(layer):
        name = ".".join(("arcgrad", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        found[name] = {module for module, _, _ in imports(path)}
        for module, statement, _ in imports(path):
            if isinstance(statement, ast.ImportFrom):
                found[name] |= {f"{module}.{alias.name}" for alias in statement.names}
    return found


@pytest.mark.parametrize("layer", ["compiler", "runtime"])
def test_no_modules_import_one_another_in_a_circle(layer: str) -> None:
    graph = modules_within(layer)
    remaining = {
        name: {other for other in others if other in graph and other != name} for name, others in graph.items()
    }
    while remaining:
        free = {name for name, others in remaining.items() if not others & remaining.keys()}
        assert free, f"circle among {sorted(remaining)}"
        for name in free:
            del remaining[name]


def test_the_compiler_names_no_module_of_the_runtime() -> None:
    for path in sources("compiler"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "arcgrad.runtime." in node.value:
                assert " " in node.value, f"{path}:{node.lineno} names a module of the runtime"


FILES = [pytest.param(layer, path, id=str(path.relative_to(ROOT))) for layer in LAYERS for path in sources(layer)]


@pytest.mark.parametrize(("layer", "path"), FILES)
def test_imports_point_one_way(layer: str, path: Path) -> None:
    allowed = LAYERS[: LAYERS.index(layer) + 1]
    for module, statement, at_import in imports(path):
        where = f"{path.relative_to(ROOT)}:{statement.lineno}"
        top = module.partition(".")[0]
        if top == "arcgrad":
            assert layer_of(module) in allowed, f"{where}: {layer} may not import {module}"
        elif top not in sys.stdlib_module_names:
            folder = path.relative_to(ROOT / layer).parts[0]
            optional = EXTRAS.get(folder, set()) | (set() if at_import else LAZY.get(layer, set()))
            assert top in THIRD_PARTY[layer] or top in optional, f"{where}: {layer} may not import {module}"


def test_only_an_extra_itself_imports_it_at_once() -> None:
    for path in sources("api"):
        own = path.relative_to(ROOT / "api").parts[0]
        for module, statement, at_import in imports(path):
            extra = module.split(".")[1] if module.startswith("arcgrad.") else ""
            guarded = path == ROOT / "api" / "__init__.py"  # for type checkers only
            assert extra not in EXTRAS or extra == own or not at_import or guarded, f"{path}:{statement.lineno}"


@pytest.mark.parametrize(("layer", "path"), FILES)
def test_file_is_of_a_size_to_read_and_says_what_it_is_for(layer: str, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 500
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring
    assert len(docstring) >= 15


def pyproject() -> dict[str, object]:
    if sys.version_info < (3, 11):
        pytest.skip("tomllib comes with Python 3.11")
    import tomllib

    settings: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return settings["tool"]["setuptools"]  # type: ignore[index,no-any-return]


def package_of(folder: Path) -> str:
    """The import name of a folder: the facade's own are below the package itself."""
    return ".".join(("arcgrad", *folder.relative_to(ROOT).parts)).replace("arcgrad.api", "arcgrad")


def test_package_list_is_whole() -> None:
    settings = pyproject()
    folders = {path.parent for layer in LAYERS for path in (ROOT / layer).rglob("__init__.py")}
    expected = {package_of(folder): folder for folder in folders}
    assert sorted(settings["packages"]) == sorted(expected)  # type: ignore[call-overload]
    assert settings["package-dir"] == {name: folder.relative_to(ROOT).as_posix() for name, folder in expected.items()}


def test_every_source_folder_is_a_package() -> None:
    for layer in LAYERS:
        for path in sources(layer):
            assert (path.parent / "__init__.py").exists(), f"{path.parent} has no __init__.py"


def test_data_files_are_packaged() -> None:
    """Whatever lies beside the sources and is not Python must be named under package-data."""
    settings = pyproject()
    patterns: dict[str, list[str]] = settings["package-data"]  # type: ignore[assignment]
    for layer in LAYERS:
        for path in (ROOT / layer).rglob("*"):
            if path.is_dir() or path.suffix in (".py", ".pyc") or "__pycache__" in path.parts:
                continue
            package = package_of(path.parent)
            assert any(path.match(pattern) for pattern in patterns.get(package, [])), f"{path} is not in the wheel"


def test_no_folder_shadows_the_install() -> None:
    assert not (ROOT / "arcgrad").exists()


OPERATORS = [
    path for path in sources("compiler") if path.parent.name == "operators" and path.stem not in ("__init__", "base")
]


assert OPERATORS, "there are no operators"


@pytest.mark.parametrize("path", OPERATORS, ids=lambda path: path.stem)
def test_one_operator_is_one_file(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Operator"
    ]
    assert len(calls) == 1, f"{path.name} makes {len(calls)} operators"
    names = [keyword.value for keyword in calls[0].keywords if keyword.arg == "name"]
    assert len(names) == 1
    assert isinstance(names[0], ast.Constant)
    assert names[0].value == path.stem
    targets = [
        target.id
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    ]
    assert targets.count("OPERATOR") == 1


def test_operators_do_not_know_each_other_by_import() -> None:
    """An operator that needs another's build imports that file; the registry itself is read from outside only."""
    for path in OPERATORS:
        modules = [module for module, _, _ in imports(path)]
        assert "arcgrad.compiler.operators" not in modules, f"{path.name} imports the registry"


def test_test_files_have_unique_names() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))
