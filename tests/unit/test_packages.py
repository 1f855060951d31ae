"""What pyproject.toml packages is what there is: a forgotten folder shows only when installed."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = ("domain", "ports", "adapters", "client", "entrypoints", "fakes")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_folder_of_code_is_a_package_and_listed() -> None:
    folders = {
        module.parent.relative_to(ROOT)
        for layer in LAYERS
        for module in ROOT.glob(f"{layer}/**/*.py")
    }
    expected = {
        "container_tracer",
        *(".".join(("container_tracer", *one.parts)) for one in folders),
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == expected
    assert [one for one in folders if not (ROOT / one / "__init__.py").is_file()] == []


def test_the_root_has_no_module_that_would_be_packaged_by_accident() -> None:
    assert [one.name for one in ROOT.glob("*.py")] == ["__init__.py"]


def test_files_that_are_not_code_are_listed() -> None:
    listed = {
        (package, name)
        for package, names in PROJECT["tool"]["setuptools"]["package-data"].items()
        for name in names
    }
    found = {
        (".".join(("container_tracer", *path.relative_to(ROOT).parent.parts)), path.name)
        for layer in LAYERS
        for path in ROOT.glob(f"{layer}/**/*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert listed == found | {("container_tracer", "py.typed")}
