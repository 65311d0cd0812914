"""Credentials of a client, and what is wrong when it gets no connection.

gRPC says little about why a connection fails. The second look here makes the same connection once
more with the `ssl` module, layer by layer: the name, TCP, TLS, the server's certificate, and what
the server thinks of the client's.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc

from netsecgame.errors import ConnectError, RemoteConfigError, TlsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: What an HTTP/2 client says first: its preface and empty settings. A server answers with its own.
_HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_FRAME_HEADER_BYTES: Final = 9
_SETTINGS_FRAME: Final = 4

#: First bytes of TLS: an alert, a handshake.
_TLS_RECORDS: Final = (0x15, 0x16)

# Numbers of OpenSSL (x509_vfy.h).
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_HOSTNAME_MISMATCH: Final = 62
_IP_ADDRESS_MISMATCH: Final = 64

#: Servers that were warned about.
_warned: set[str] = set()


class InsecureConnectionWarning(UserWarning):
    """What goes to another machine and comes from it can be read and changed on the way."""


class ClientCredentials(NamedTuple):
    """Files that TLS needs, as PEM.

    Attributes:
        ca: Whom to trust.
        certificate: Who the client is; None if no server asks.
        key: The private key of `certificate`.
    """

    ca: Path
    certificate: Path | None
    key: Path | None

    def for_grpc(self) -> grpc.ChannelCredentials:
        """The credentials of a channel; the files are read now."""
        certificate, key = (
            None if path is None else path.read_bytes() for path in (self.certificate, self.key)
        )
        return grpc.ssl_channel_credentials(self.ca.read_bytes(), key, certificate)

    def ssl_context(self) -> ssl.SSLContext:
        """The same as gRPC's credentials, for the `ssl` module.

        Raises:
            RemoteConfigError: If a file is not what it should be.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        try:
            context.load_verify_locations(self.ca)
        except ssl.SSLError as error:
            raise RemoteConfigError(f"{self.ca}: expected certificates as PEM") from error
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key, _refuse_encrypted(self.key))
            except ssl.SSLError as error:
                raise RemoteConfigError(
                    f"{self.certificate} and {self.key}: expected a certificate and its key as "
                    f"PEM ({error.reason or error})"
                ) from error
        return context


class Layer(NamedTuple):
    """One layer of a connection.

    Attributes:
        name: ``name``, ``tcp``, ``tls``, ``certificate`` or ``client certificate``.
        found: What was seen.
        error: What is wrong with it; None if nothing is.
    """

    name: str
    found: str
    error: ConnectError | None = None


def read_client_credentials(
    paths: Sequence[str | Path | None] | None,
) -> ClientCredentials | None:
    """The credentials in these files; None is plaintext.

    Args:
        paths: CA, client certificate or None, its key or None.

    Raises:
        ValueError: If it is something else.
        FileNotFoundError: If there is no such file.
        RemoteConfigError: If a file is not what it should be.
    """
    if paths is None:
        return None
    if isinstance(paths, (str, Path)) or len(paths) != 3:
        raise ValueError(
            "expected None or three paths (CA, client certificate or None, its key or None), "
            f"got {paths!r}"
        )
    ca, certificate, key = (None if path is None else Path(path) for path in paths)
    if ca is None:
        raise ValueError("expected the file of a CA; without one there is nobody to trust")
    if (certificate is None) != (key is None):
        given, absent = ("certificate", "key") if key is None else ("key", "certificate")
        raise ValueError(f"got a client {given}, expected its {absent}, too")
    for path in (ca, certificate, key):
        if path is not None and not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
    credentials = ClientCredentials(ca, certificate, key)
    credentials.ssl_context()
    return credentials


def join_address(url: str, port: int) -> str:
    """Host and port as one text; IPv6 addresses get their brackets."""
    return f"[{url}]:{port}" if ":" in url else f"{url}:{port}"


def is_loopback(url: str) -> bool:
    """Whether a host is this machine by its name or address."""
    try:
        return ipaddress.ip_address(url).is_loopback
    except ValueError:
        name = url.rstrip(".").lower()
        return name == "localhost" or name.endswith(".localhost")


def warn_about_plaintext(url: str, port: int, *, insecure: bool | None) -> None:
    """Warn, once a server, about plaintext that leaves the machine and was not asked for."""
    address = join_address(url, port)
    if insecure or is_loopback(url) or address in _warned:
        return
    _warned.add(address)
    warnings.warn(
        f"the connection to {address} is not encrypted; give client_credentials_paths, or "
        "insecure=True if it is meant that way",
        InsecureConnectionWarning,
        stacklevel=2,
    )


def diagnose(
    url: str, port: int, credentials: ClientCredentials | None, timeout_s: float
) -> list[Layer]:
    """Connect layer by layer.

    Args:
        url: Host of the server.
        port: Its port.
        credentials: What the client would use; None is plaintext.
        timeout_s: For all layers together.

    Returns:
        The layers in their order; only the last one may have an error.
    """
    return _SecondLook(url, port, credentials, timeout_s).look()


class _SecondLook:
    def __init__(
        self, url: str, port: int, credentials: ClientCredentials | None, timeout_s: float
    ) -> None:
        self._url = url
        self._port = port
        self._credentials = credentials
        self._address = join_address(url, port)
        self._ends_at = time.monotonic() + timeout_s
        self._layers: list[Layer] = []

    def look(self) -> list[Layer]:
        steps: list[tuple[str, Callable[[], str]]] = [("name", self._resolve), ("tcp", self._dial)]
        if self._credentials is None:
            steps.append(("tls", self._expect_plaintext))
        else:
            steps += [
                ("tls", self._expect_tls),
                ("certificate", self._check_certificate),
                ("client certificate", self._show_certificate),
            ]
        for name, step in steps:
            try:
                self._layers.append(Layer(name, step()))
            except ConnectError as error:
                self._layers.append(Layer(name, error.reason, error))
                break
            except TimeoutError:
                late = self._connect_error("timeout", f"no answer in time ({name})")
                self._layers.append(Layer(name, late.reason, late))
                break
        return self._layers

    def _resolve(self) -> str:
        try:
            found = socket.getaddrinfo(self._url, self._port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            text = f"no address is known for {self._url!r}"
            raise self._connect_error("unknown_host", text) from error
        return ", ".join(dict.fromkeys(str(each[4][0]) for each in found))

    def _dial(self) -> str:
        self._connect().close()
        return f"{self._address} accepts connections"

    def _expect_plaintext(self) -> str:
        answer = self._first_bytes()
        if _is_settings(answer):
            return "the server speaks plaintext gRPC"
        if self._is_tls(answer):
            raise TlsError(
                "server_speaks_tls",
                "expected plaintext; give client_credentials_paths",
                self._address,
            )
        raise self._connect_error("lost", f"expected a gRPC server, got {answer!r}")

    def _expect_tls(self) -> str:
        try:
            with self._handshake(_trusting_anybody()) as stream:
                return f"{stream.version()}, {(stream.cipher() or ('?',))[0]}"
        except (ssl.SSLError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            answer = self._first_bytes()
            if answer and not self._is_tls(answer):
                raise TlsError(
                    "server_speaks_plaintext",
                    "expected TLS; leave client_credentials_paths out for plaintext",
                    self._address,
                ) from error
            if _is_about_client_certificate(error):
                return "the server speaks TLS"  # 1.2 with a client certificate
            raise TlsError("handshake_failed", _tell(error), self._address) from error

    def _check_certificate(self) -> str:
        assert self._credentials is not None
        try:
            with self._handshake(self._credentials.ssl_context()) as stream:
                return f"trusted; {_tell_names(stream.getpeercert(binary_form=True))}"
        except ssl.SSLCertVerificationError as error:
            raise self._name_problem(error) from error
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise self._refusal(error) from error

    def _show_certificate(self) -> str:
        """With TLS 1.3 the server looks at the client's certificate after the handshake."""
        assert self._credentials is not None
        try:
            with self._handshake(self._credentials.ssl_context()) as stream:
                stream.sendall(_HELLO)
                answer = _read(stream)
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise self._refusal(error) from error
        if not answer:
            raise self._refusal(None)
        if not _is_settings(answer):
            raise self._connect_error("lost", f"expected a gRPC server, got {answer!r}")
        return "accepted" if self._credentials.certificate else "not asked for"

    def _name_problem(self, error: ssl.SSLCertVerificationError) -> TlsError:
        """What is wrong with the server's certificate."""
        with self._handshake(_trusting_anybody()) as stream:
            der = stream.getpeercert(binary_form=True)
        if error.verify_code in (_HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH):
            text = f"expected a certificate for {self._url}, got one {_tell_names(der)}"
            return TlsError("name_mismatch", text, self._address)
        if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
            text = f"{error.verify_message}; the server's is valid {_tell_dates(der)}"
            return TlsError("expired", text, self._address)
        assert self._credentials is not None
        text = f"no CA in {self._credentials.ca} has signed it ({error.verify_message})"
        return TlsError("untrusted_ca", text, self._address)

    def _refusal(self, error: OSError | None) -> TlsError:
        """What the server dislikes about the client."""
        assert self._credentials is not None
        if error is not None and not _is_about_client_certificate(error):
            return TlsError("handshake_failed", _tell(error), self._address)
        seen = f" ({_tell(error)})" if error is not None else ""
        if self._credentials.certificate is None:
            text = f"the server asks for a client certificate, and none was given{seen}"
            return TlsError("client_certificate_required", text, self._address)
        text = f"the server does not accept {self._credentials.certificate}{seen}"
        return TlsError("client_certificate_rejected", text, self._address)

    def _is_tls(self, answer: bytes) -> bool:
        """Whether the server speaks TLS, which answered plaintext with these bytes."""
        if answer:
            return answer[0] in _TLS_RECORDS
        try:
            self._handshake(_trusting_anybody()).close()
        except ssl.SSLError as error:
            # An end is no TLS; an alert is.
            return not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
        except OSError:
            return False
        return True

    def _first_bytes(self) -> bytes:
        """What the server answers to HTTP/2 in plaintext; nothing if it hangs up."""
        with self._connect() as plain:
            try:
                plain.sendall(_HELLO)
                return _read(plain)
            except TimeoutError:
                raise
            except OSError:
                return b""

    def _handshake(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        plain = self._connect()
        try:
            return context.wrap_socket(plain, server_hostname=self._url)
        except BaseException:
            plain.close()
            raise

    def _connect(self) -> socket.socket:
        timeout_s = self._ends_at - time.monotonic()
        if timeout_s <= 0:
            raise TimeoutError
        try:
            return socket.create_connection((self._url, self._port), timeout_s)
        except ConnectionRefusedError as error:
            raise self._connect_error("refused", "nobody listens there") from error
        except TimeoutError:
            raise
        except OSError as error:
            raise self._connect_error("unreachable", error.strerror or str(error)) from error

    def _connect_error(self, reason: str, text: str) -> ConnectError:
        return ConnectError(reason, text, self._address)


def _refuse_encrypted(key: Path | None) -> Callable[[], str]:
    def refuse() -> str:
        raise RemoteConfigError(f"{key}: the key is encrypted, expected one without a password")

    return refuse


def _trusting_anybody() -> ssl.SSLContext:
    """For a look at a certificate; nothing is ever said over such a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


def _read(stream: socket.socket) -> bytes:
    """The head of the first frame, or what there is before the end."""
    received = b""
    while len(received) < _FRAME_HEADER_BYTES:
        chunk = stream.recv(_FRAME_HEADER_BYTES - len(received))
        if not chunk:
            break
        received += chunk
    return received


def _is_settings(answer: bytes) -> bool:
    return len(answer) == _FRAME_HEADER_BYTES and answer[3] == _SETTINGS_FRAME


def _is_about_client_certificate(error: OSError) -> bool:
    """Whether a server ended a handshake because of the client's certificate."""
    if not isinstance(error, ssl.SSLError):
        return True  # it hung up without a word
    reason = error.reason or ""
    return isinstance(error, ssl.SSLEOFError) or any(
        part in reason for part in ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE", "DENIED")
    )


def _tell(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return (reason or str(error)).replace("_", " ").lower()


def _tell_names(der: bytes | None) -> str:
    """Whom a certificate is for."""
    if der is None:
        return "for nobody"
    from cryptography import x509  # noqa: PLC0415 - it takes 30 ms, and only this look needs it

    certificate = x509.load_der_x509_certificate(der)
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return "without names (SANs)"
    return "for " + ", ".join(str(name.value) for name in extension.value)


def _tell_dates(der: bytes | None) -> str:
    """When a certificate is valid."""
    if der is None:
        return "never"
    from cryptography import x509  # noqa: PLC0415 - as above

    certificate = x509.load_der_x509_certificate(der)
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return f"from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
