"""The audit of dependencies knows every part of the core, and lets no licence pass unread."""

import importlib.machinery
import importlib.util
from email.message import Message
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "audit_dependencies"


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("audit_dependencies", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def package(**about: str) -> SimpleNamespace:
    """A distribution that states what is given."""
    message = Message()
    for key, value in {"Name": "toy", **about}.items():
        message[key.replace("_", "-")] = value
    return SimpleNamespace(metadata=message, version="1.0")


@pytest.mark.parametrize(
    ("licence", "fine"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND MIT", True),
        ("(MIT OR GPL-2.0-only)", True),
        ("MIT AND GPL-2.0-only", False),
        ("GPL-3.0-or-later", False),
        ("CC-BY-NC-4.0", False),
        ("none stated", False),
    ],
)
def test_of_several_licences_all_must_be_allowed_and_of_a_choice_one(
    licence: str, fine: bool, audit: ModuleType
) -> None:
    assert audit.allowed(licence) is fine


def test_a_licence_is_found_however_it_is_stated(audit: ModuleType) -> None:
    assert audit.licence_of(package(License_Expression="ISC")) == "ISC"
    assert audit.licence_of(package(License="BSD")) == "BSD-3-Clause"
    classifier = "License :: OSI Approved :: MIT License"
    assert audit.licence_of(package(Classifier=classifier)) == "MIT"
    gpl = package(License="GNU GPL v3\nlong text")
    assert audit.licence_of(gpl) == "GNU GPL v3"
    assert len(list(audit.problems({"toy": (gpl, [])}))) == 1


def test_the_core_is_all_that_runs_and_none_of_the_tools(audit: ModuleType) -> None:
    core = audit.core()
    assert {"aimwell", "torch", "numpy", "jinja2", "markupsafe"} <= set(core)
    assert not {"pytest", "ruff", "mypy", "hypothesis"} & set(core)
    assert list(audit.problems(core)) == []


def test_the_bill_of_materials_names_every_part_and_what_it_needs(audit: ModuleType) -> None:
    core = audit.core()
    bill = audit.bill(core)
    assert bill == audit.bill(audit.core())
    names = [c["name"] for c in bill["components"]]
    assert [bill["metadata"]["component"]["name"], *names] == list(core)
    references = {c["bom-ref"] for c in (bill["metadata"]["component"], *bill["components"])}
    for row in bill["dependencies"]:
        assert {row["ref"], *row["dependsOn"]} <= references
    needed = {row["ref"].split("@")[0]: row["dependsOn"] for row in bill["dependencies"]}
    assert any("pkg:pypi/markupsafe@" in ref for ref in needed["pkg:pypi/jinja2"])
