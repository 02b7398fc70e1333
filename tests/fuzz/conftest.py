"""The template of all cases, made once."""

import pytest

from .room import Template, make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Template:
    return make_template(tmp_path_factory.mktemp("template"))
