"""Held for every test: no network but loopback, and no settings of the machine that runs them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

OFFLINE = str(Path(__file__).parent / "offline")
sys.path.insert(0, OFFLINE)
import sitecustomize  # noqa: E402

if Path(sitecustomize.__file__ or "").parent != Path(OFFLINE):  # the interpreter has one of its own
    del sys.modules["sitecustomize"]
    import sitecustomize
sys.path.remove(OFFLINE)

# The same examples every time, so that a red run is a finding about the change; HYPOTHESIS_PROFILE=explore looks further.
settings.register_profile("steady", deadline=None, derandomize=True)  # no deadline: a busy machine is no finding
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

_SETTINGS = ("SUPPORTBOT_", "OPENAI_", "ANTHROPIC_", "SALESIQ_", "DESK_", "GITHUB_", "OTEL_", "ERROR_ALERT_WEBHOOK")
_TERMINAL = ("NO_COLOR", "FORCE_COLOR", "PORT", "LOG_LEVEL", "COLUMNS")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot under test sees no key or setting of this machine; children refuse the network as well."""
    for name in list(os.environ):
        if name.startswith(_SETTINGS) or name in _TERMINAL:
            monkeypatch.delenv(name)
    inherited = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([OFFLINE, *([inherited] if inherited else [])]))
