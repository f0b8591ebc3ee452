"""The suite's own promise: nothing here talks to another machine."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
import sitecustomize


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_other_machines_are_refused(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(0.1)
        with pytest.raises(sitecustomize.NetworkRefused):
            sock.connect((host, 80))


def test_names_of_other_machines_are_not_even_looked_up() -> None:
    with pytest.raises(sitecustomize.NetworkRefused):
        socket.getaddrinfo("example.invalid", 80)


def test_this_machine_is_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_commands_started_by_a_test_are_refused_too() -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=0.1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "NetworkRefused" in done.stderr
