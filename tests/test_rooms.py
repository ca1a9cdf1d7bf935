"""Who may import whom: the rooms of pipeline/, no arrow up; and tests that mirror them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PIPELINE = ROOT / "pipeline"
MAY_IMPORT = {
    "core": "",
    "viz": "core",
    "weights": "core",
    "clip": "core weights",
    "training": "",
    "world": "core clip training",
    "data": "core world",
    "maskformer": "core weights clip",
    "checkpoints": "core weights clip maskformer",
    "segmenter": "core weights clip data training maskformer checkpoints",
    "proposals": "core data maskformer",
    "nouns": "core data",
    "pairs": "core data clip",
    "finetune": "core weights data clip training",
    "ovseg": "core data clip maskformer",
    "evaluate": "core viz data clip maskformer ovseg",
    "params": "core world clip data segmenter proposals nouns pairs finetune evaluate",
    "provenance": "core data params",
    "commands": "core viz weights data clip maskformer checkpoints ovseg evaluate params",
}
"""Room to the rooms that it may import; each stands below its users."""
DECLARATIONS = "__main__.py core/modes.py clip/templates.py"
"""Modules that only declare, as every room's params.py does: a test would say the same again."""


def imported_rooms(file: Path) -> set[str]:
    """The rooms that a file imports anywhere, also inside functions, its own among them."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "pipeline":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            top, *rest = node.module.split(".")
            found |= {rest[0]} if top == "pipeline" else set()
            assert top != "stages" or file.parent == ROOT / "stages", f"{file} imports a stage"
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("pipeline.") for alias in node.names), file
    return found


def test_every_module_lies_in_a_room_of_the_table():
    loose = {path.stem for path in PIPELINE.glob("*.py")} - {"__init__", "__main__"}
    rooms = {path.name for path in PIPELINE.iterdir() if (path / "__init__.py").is_file()}
    assert not loose and rooms == set(MAY_IMPORT)


def test_the_table_has_no_arrow_up():
    below: set[str] = set()
    for room, allowed in MAY_IMPORT.items():
        assert set(allowed.split()) <= below, room
        below.add(room)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_what_the_table_allows_and_all_of_it(room):
    used = set().union(*(imported_rooms(file) for file in (PIPELINE / room).rglob("*.py")))
    assert used - {room} == set(MAY_IMPORT[room].split())


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_every_room_says_what_it_is_for(room):
    text = ast.get_docstring(ast.parse((PIPELINE / room / "__init__.py").read_text()))
    assert text and 1 <= len(text.splitlines()) <= 15


def test_every_module_has_a_test_file_of_its_name():
    modules = {path.relative_to(PIPELINE) for path in PIPELINE.rglob("*.py")}
    tested = {
        module for module in modules
        if (ROOT / "tests" / module.with_name(f"test_{module.name}")).is_file()
    }  # fmt: skip
    exempt = {Path(name) for name in DECLARATIONS.split()}
    assert exempt <= modules, "listed, but there is no such module"
    assert not exempt & tested, "has its test file now: take it off the list"
    unasked = {module for module in modules if module.name in ("__init__.py", "params.py")}
    missing = sorted(map(str, modules - tested - exempt - unasked))
    assert not missing, f"no test file tests/<room>/test_<module>.py for {', '.join(missing)}"
