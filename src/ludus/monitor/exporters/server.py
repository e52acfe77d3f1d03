"""The HTTP server of ``/metrics``: small, and harmless whoever asks however often.

GET of ``/metrics`` and ``/healthz`` and nothing else. It listens on 127.0.0.1; another address
needs a token, which the asker must send. Every connection has a deadline, their number is bounded,
and nothing that is sent changes anything.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ludus.errors import UserError
from ludus.monitor.exporters.prometheus import CONTENT_TYPE

_MOST_CONNECTIONS = 128
_SECONDS = 10.0
"""A connection that takes longer is closed."""

_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


class MetricsServer(ThreadingHTTPServer):
    """Serves a text in threads of its own. :meth:`start` returns at once."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = _MOST_CONNECTIONS

    def __init__(
        self,
        text: Callable[[], bytes],
        *,
        address: str = "127.0.0.1",
        port: int = 8000,
        token: str | None = None,
        seconds: float = _SECONDS,
    ) -> None:
        """Take the port.

        Args:
            text: what ``/metrics`` answers.
            address: to listen on; one that others can reach needs a token.
            port: 0 takes any free one.
            token: which askers must send as ``Authorization: Bearer``; None asks for none.
            seconds: how long a connection may take.

        Raises:
            UserError: the address needs a token, is none of this machine, or the port is taken.
        """
        self.text = text
        self.token = token or None
        self.local = is_loopback(address)
        self._seconds = seconds
        self._slots = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self._open: dict[socket.socket, float] = {}
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        if not self.local and self.token is None:
            raise UserError(
                f"{address} can be reached from other machines: it needs a token, in "
                "LUDUS_METRICS_TOKEN or with --token-file"
            )
        if ":" in address:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((address, port), _Handler)
        except OverflowError:
            raise UserError(f"port {port} is none: it must be 0 to 65535") from None
        except OSError as error:
            raise UserError(
                f"port {port} of {address} cannot be had ({error.strerror or error}): name "
                "another one"
            ) from None
        self.timeout = 1.0

    @property
    def url(self) -> str:
        """Where the metrics are."""
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{name}:{port}/metrics"

    def server_bind(self) -> None:
        """Bind without asking a name service who we are."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def start(self) -> None:
        """Serve from a thread of its own."""
        self._thread = threading.Thread(target=self.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; connections in progress are dropped."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
            self._thread = None
        self.server_close()
        self._close_older_than(0.0)

    # -- connections --------------------------------------------------------------------------

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve in a thread, or close at once when there are too many."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        with self._guard:
            self._open[request] = time.monotonic()
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread to be had
            self._done(request)
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._done(request)

    def _done(self, request: socket.socket) -> None:
        with self._guard:
            known = self._open.pop(request, None)
        if known is not None:
            self._slots.release()

    def service_actions(self) -> None:
        """Close what takes too long, however slowly it goes on (twice a second)."""
        self._close_older_than(self._seconds)

    def _close_older_than(self, seconds: float) -> None:
        now = time.monotonic()
        with self._guard:
            late = [one for one, since in self._open.items() if now - since >= seconds]
        for one in late:
            try:
                one.shutdown(socket.SHUT_RDWR)  # wakes its thread, which ends
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An asker that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request and closes."""

    server: MetricsServer
    server_version = "ludus"
    sys_version = ""
    timeout = 5.0

    def do_GET(self) -> None:
        """``/metrics`` and ``/healthz``."""
        if not self._host_is_ours():
            self._answer(HTTPStatus.FORBIDDEN, b"this server answers to localhost\n")
            return
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self._answer(HTTPStatus.OK, b"ok\n")
        elif path != "/metrics":
            self._answer(HTTPStatus.NOT_FOUND, b"here are /metrics and /healthz\n")
        elif not self._may_read():
            self._answer(HTTPStatus.UNAUTHORIZED, b"a token is needed\n")
        else:
            self._answer(HTTPStatus.OK, self.server.text(), CONTENT_TYPE)

    def _refuse(self) -> None:
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, b"GET only\n")

    # The names are those of the base class.
    do_HEAD = do_POST = do_PUT = _refuse  # noqa: N815
    do_DELETE = do_PATCH = do_OPTIONS = _refuse  # noqa: N815

    def _host_is_ours(self) -> bool:
        """A page of another site may point its name at this machine; its Host gives it away."""
        if not self.server.local:
            return True  # the token says who asks
        host = self.headers.get("Host", "localhost").strip().lower()
        name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
        return name in (*_LOCAL_NAMES, str(self.server.server_address[0]))

    def _may_read(self) -> bool:
        token = self.server.token
        if token is None:
            return True
        given = self.headers.get("Authorization", "").encode("utf-8", "replace")
        return hmac.compare_digest(given, f"Bearer {token}".encode())

    def _answer(self, code: HTTPStatus, body: bytes, kind: str = "text/plain") -> None:
        self.close_connection = True
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        if code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        if code == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are no news."""


def is_loopback(address: str) -> bool:
    """Whether an address can only be reached from this machine.

    Raises:
        UserError: it is no IP address.
    """
    try:
        return ipaddress.ip_address("127.0.0.1" if address == "localhost" else address).is_loopback
    except ValueError:
        raise UserError(
            f"{address!r} is no IP address: give one of this machine, such as 127.0.0.1"
        ) from None
