"""Imports point one way, and the layers cost nothing that they do not need."""

import ast
import builtins
import dis
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

PACKAGE = Path(__file__).parent.parent / "hepml"

# What each part may import: itself, and these.
FOUNDATION = {"errors", "lazy", "outputs", "ops", "lorentz", "solvers"}
ALLOWED = {
    "installation": set(),
    "lazy": set(),
    "tables": set(),
    "figures": {"outputs"},
    "errors": {"installation"},
    "outputs": {"errors"},
    "ops": {"errors", "outputs"},
    "lorentz": {"errors"},
    "solvers": {"errors", "ops"},
    "data": FOUNDATION,
    "io": FOUNDATION | {"data"},
    "datasets": FOUNDATION | {"data"},
    "nn": FOUNDATION,
    "models": FOUNDATION | {"data", "nn"},
    "symmetry": FOUNDATION - {"solvers"} | {"data", "figures", "tables"},
    "testing": FOUNDATION | {"data", "symmetry"},
    "training": FOUNDATION | {"data", "io", "nn", "models", "figures"},
    "deploy": FOUNDATION | {"data", "io", "nn", "models", "training"},
    "evaluation": FOUNDATION
    | {"data", "io", "models", "training", "deploy"}
    | {"figures", "tables"},
    "cli": FOUNDATION
    | {"data", "io", "datasets", "nn", "models", "symmetry", "training", "deploy"}
    | {"evaluation", "figures", "tables"},
}
# Engines and optional parts, which a layer must not load.
HEAVY = (
    "lightning",
    "torchmetrics",
    "matplotlib",
    "mplhep",
    "hist",
    "uproot",
    "awkward",
    "jsonargparse",
    "fastjet",
    "pythia8mc",
    "torch_scatter",
    "h5py",
    "onnx",
    "e3nn",
    "sklearn",
    "pandas",
    "hypothesis",
    "pytest",
)

SOURCES = sorted(PACKAGE.rglob("*.py"))


def _imports(tree: ast.AST) -> Iterator[str]:
    """The modules that a file imports, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _part(module: str) -> str:
    """The package of hepml that a module belongs to; '' for the top."""
    return ([*module.split("."), ""])[1]


def _violations(path: Path, source: str) -> list[str]:
    """What a file imports against the direction, or from the inside of another package."""
    module = ".".join(("hepml", *path.relative_to(PACKAGE).with_suffix("").parts))
    part = _part(module)
    found = []
    for name in _imports(ast.parse(source)):
        target = _part(name)
        if not name.startswith("hepml.") or target in (part, "__version__"):
            continue
        if target not in ALLOWED.get(part, set(ALLOWED)) or "._" in name:
            found.append(name)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way_and_to_public_names(path: Path) -> None:
    assert not _violations(path, path.read_text())


def _globals_of(code: CodeType) -> Iterator[str]:
    """The names that a piece of code looks for in its module, and those of all within it."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals_of(constant)


# Axes in annotations look like names that do not exist: neither ruff nor mypy looks for such.
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_name_is_defined(path: Path) -> None:
    source = path.read_text()
    bound = {
        *dir(builtins),
        "__name__",
        "__file__",
        "__qualname__",
        "__module__",
        "__annotations__",
    }
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import() | ast.ImportFrom():
                bound |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            case ast.FunctionDef() | ast.ClassDef():
                bound.add(node.name)
            case ast.Name(id=name, ctx=ast.Store()):
                bound.add(name)
            case ast.ExceptHandler(name=str(name)):
                bound.add(name)
    assert {*_globals_of(compile(source, str(path), "exec"))} <= bound


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("training/engine/*.py")), ids=lambda p: p.name)
def test_the_engine_knows_no_task_no_network_and_no_reader(path: Path) -> None:
    base = ("hepml.errors", "hepml.figures", "hepml.outputs", "hepml.__version__")
    allowed = (*base, "hepml.training.engine")
    names = [name for name in _imports(ast.parse(path.read_text())) if name.startswith("hepml.")]
    assert not [name for name in names if not name.startswith(allowed)]


def test_every_package_has_its_place() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages <= set(ALLOWED)


ROOMS = sorted(PACKAGE.glob("*/*/**/__init__.py"))


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.parent.relative_to(PACKAGE)))
def test_a_folder_inside_a_package_groups_files_and_exports_nothing(path: Path) -> None:
    body = ast.parse(path.read_text())
    assert ast.get_docstring(body)
    assert len(body.body) == 1


@pytest.mark.parametrize(
    "line",
    [
        "from hepml.models import LorentzNet",
        "from hepml.ops.segments._reference import segment_sum",
        "import hepml.training",
        "def f():\n    from hepml.cli import main",
    ],
)
def test_an_import_against_the_direction_would_be_found(line: str) -> None:
    assert _violations(PACKAGE / "nn" / "_mlp.py", line)


def test_layers_and_models_load_no_engine_and_no_optional_package() -> None:
    script = (
        "import sys, hepml, hepml.errors, hepml.ops, hepml.lorentz, hepml.data, hepml.nn, "
        f"hepml.models, hepml.symmetry; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_hepml_itself_loads_not_even_torch() -> None:
    script = "import sys, hepml; print('torch' in sys.modules, hepml.__version__)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("False ")


def test_no_module_is_named_after_nothing() -> None:
    for path in SOURCES:
        assert path.stem.strip("_") not in {"utils", "util", "helpers", "common", "misc"}, path
