"""README.md, docs/, docstrings and comments name only what exists: files, links, commands,
conventions, parameters."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest
import yaml

from pipeline.commands.cli import COMMANDS
from tests import shipped

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = sorted(
    path for folder in ("pipeline", "stages") for path in (ROOT / folder).rglob("*.py")
)
PATH = re.compile(
    r"(?<![\w./@-])((?:pipeline|stages|tests|docs|\.ci)/[\w./-]*\w"
    r"|(?:params|dvc)\.(?:yaml|lock)|README\.md|Makefile)"
)
"""A path from the project's root."""
MODULE = re.compile(r"(?<![\w./-])(?:python3? -m |`)((?:pipeline|stages|tests)(?:\.\w+)+)")
"""A module, or a name in one: `pipeline.core.fingerprint`, `tests.goldens.allowed`."""
LINK = re.compile(r"\]\(([^)\s]+)\)")
CONVENTION = re.compile(r"[Cc]onventions? ((?:\d[, ]*(?:and |to )?)+)")


def texts() -> dict[str, str]:
    """Every page, and the docstrings and comments of every module, by name."""
    found = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
    for module in MODULES:
        source = module.read_text(encoding="utf-8")
        strings = [
            node.value.value
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ]
        strings += [
            token.string
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        ]
        found[str(module.relative_to(ROOT))] = "\n".join(strings)
    return found


TEXTS = texts()
every_text = pytest.mark.parametrize("name", TEXTS)


@every_text
def test_paths_exist(name):
    missing = {path for path in PATH.findall(TEXTS[name]) if not (ROOT / path).exists()}
    assert not missing, f"{name} names what is not there"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_named_by_the_end_of_their_path_exist(module):
    """`view.py` stands for a module of the same folder, `core/errors.py` for one of that room."""
    text = TEXTS[str(module.relative_to(ROOT))]
    for name in set(re.findall(r"(?<![\w./<>*-])([a-z_]\w*(?:/\w+)*\.py)\b", text)):
        places = (ROOT, ROOT / "pipeline", module.parent)
        assert any((place / name).is_file() for place in places), name


@every_text
def test_modules_exist(name):
    missing = {module for module in MODULE.findall(TEXTS[name]) if not is_module(module)}
    assert not missing, f"{name} names what is not there"


def is_module(name: str) -> bool:
    """Whether a dotted name is a module or package of the project, or a name that one defines."""
    place = ROOT / name.replace(".", "/")
    if place.is_dir() or place.with_suffix(".py").is_file():
        return True
    for file in (place.parent.with_suffix(".py"), place.parent / "__init__.py"):
        if file.is_file() and re.search(rf"\b{place.name}\b", file.read_text(encoding="utf-8")):
            return True
    return False


@every_text
def test_conventions_cited_exist(name):
    listed = set(re.findall(r"(?m)^(\d+)\. \*\*", TEXTS["docs/conventions.md"]))
    assert listed == {str(number) for number in range(1, 10)}
    cited = {n for numbers in CONVENTION.findall(TEXTS[name]) for n in re.findall(r"\d+", numbers)}
    assert cited <= listed, f"{name} cites a convention that is not in docs/conventions.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http:", "https:")):
            continue
        path, _, heading = link.partition("#")
        target = page if not path else page.parent / path
        assert target.exists(), f"{page.name}: {link}"
        if heading:
            assert heading in headings(target), f"{page.name}: {link}"


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    lines = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in lines}


@every_text
def test_subcommands_exist(name):
    """What stands behind `ovseg` or `python -m pipeline` in code, in backquotes or a code block."""
    code = re.findall(r"`([^`\n]+)`", TEXTS[name])
    code += "\n".join(re.findall(r"(?ms)^```\w*\n(.*?)^```", TEXTS[name])).splitlines()
    used = {
        word for line in code for word in re.findall(r"(?:\bovseg|-m pipeline) ([a-z]\w*)", line)
    }
    assert used <= set(COMMANDS), f"{name} names a subcommand that is not there"


def test_commands_and_make_targets_exist():
    targets = set(re.findall(r"(?m)^([\w-]+):", (ROOT / "Makefile").read_text()))
    for name in map(str, (page.relative_to(ROOT) for page in PAGES)):
        used = re.findall(r"(?m)(?:^|`|&& )make ([a-z][\w-]*)", TEXTS[name])
        assert set(used) <= targets, name


def test_parameters_named_exist():
    params = yaml.safe_load(shipped.PARAMS.read_text())
    sections = "|".join(params)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name in set(re.findall(rf"(?:`|-S )((?:{sections})\.[\w.]*\w)\b(?![*/.])", text)):
            if name.endswith((".json", ".parquet")):
                continue
            value = params
            for part in name.split("."):
                assert isinstance(value, dict) and part in value, f"{page.name}: {name}"
                value = value[part]


def test_every_page_is_in_the_list():
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", TEXTS["docs/README.md"]))
    assert listed == {page.name for page in PAGES[1:]} - {"README.md"}


def test_every_room_is_in_the_map():
    rooms = {path.parent.name for path in (ROOT / "pipeline").glob("*/__init__.py")}
    assert set(re.findall(r"(?m)^\| `(\w+)/` ", TEXTS["README.md"])) == rooms
