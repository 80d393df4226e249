"""The public face: few names, sorted, documented, and loaded on first use."""

import importlib
import pkgutil

import pytest

import flask_eval


def test_there_are_at_most_25_public_names_in_order():
    """A small face is kept small."""
    assert len(flask_eval.__all__) <= 25
    assert flask_eval.__all__ == sorted(flask_eval.__all__)


def test_every_public_name_loads_and_is_documented():
    """A name that does not load, or says nothing, is no name."""
    for name in flask_eval.__all__:
        thing = getattr(flask_eval, name)
        assert thing.__doc__, name


def test_no_public_name_equals_a_submodule():
    """Importing the submodule would overwrite the name."""
    modules = {m.name for m in pkgutil.iter_modules(flask_eval.__path__)}
    assert not modules & set(flask_eval.__all__)


def test_an_unknown_name_is_an_attribute_error():
    """As in any module."""
    with pytest.raises(AttributeError, match="nonsense"):
        flask_eval.nonsense  # noqa: B018


def test_every_module_says_what_it_is_for():
    """The first line of a module is its sign on the door."""
    for info in pkgutil.walk_packages(flask_eval.__path__, "flask_eval."):
        if info.name.endswith("__main__"):
            continue
        assert importlib.import_module(info.name).__doc__, info.name
