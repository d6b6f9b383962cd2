"""The parts are one plugin for tests/engine, tests/api and tests/fanout: a session has one set of them."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.engine.parts")
