"""The local server of the viewer."""

import errno
import ipaddress
import re
import secrets
from collections.abc import Callable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from aimwell.errors import RunError

Application = Callable[..., Any]

#: Requests that wait while others are answered.
_WAITING: Final = 64


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address.

    Example:
        >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token_for(host: str, given: str) -> str:
    """Give the token that browsers must show: none on loopback, unless one was asked for.

    Raises:
        RunError: A token that is easily guessed.
    """
    if given and not re.fullmatch(r"[A-Za-z0-9_-]{16,}", given):
        raise RunError(
            "a token has 16 letters or more, of A–Z, a–z, 0–9, '-' and '_'; leave --token out and "
            "one is made"
        )
    if given or is_loopback(host):
        return given
    return secrets.token_urlsafe(24)


class Server(ThreadingMixIn, WSGIServer):
    """Answers every request on a thread of its own."""

    daemon_threads = True
    request_queue_size = _WAITING

    def server_bind(self) -> None:
        """Bind without asking a name server who we are, which can take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    #: A connection that says nothing is let go.
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing: the terminal is for what goes wrong."""


def listen(host: str, port: int) -> Server:
    """Bind an address; port 0 takes a free one.

    Raises:
        RunError: The port is in use or may not be used, or the address is not of this machine.
    """
    try:
        return Server((host, port), _Quiet)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise RunError(
                f"port {port} is in use, maybe by another viewer; name another with --port, or 0 "
                "for any that is free"
            ) from error
        if error.errno == errno.EACCES:
            raise RunError(
                f"port {port} may not be used; name one above 1023 with --port"
            ) from error
        raise RunError(
            f"cannot listen on '{host}': {error.strerror}; name an address of this machine with "
            "--host"
        ) from error
    except OverflowError as error:
        raise RunError(f"{port} is no port; name one from 0 to 65535 with --port") from error


def hosts_of(host: str, port: int) -> frozenset[str] | None:
    """Names under which a loopback viewer answers; None where a token guards it.

    Example:
        >>> sorted(hosts_of("127.0.0.1", 80) or [])
        ['127.0.0.1:80', 'localhost:80']
    """
    if not is_loopback(host):
        return None
    return frozenset(f"{name}:{port}" for name in ("localhost", "127.0.0.1", host))


def serve(server: Server, application: Application) -> None:
    """Answer until Ctrl-C."""
    server.set_app(application)
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
