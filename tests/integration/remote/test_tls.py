"""Every way in which the two sides may agree on TLS, or not."""

from __future__ import annotations

import shutil
import socket
import warnings
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from netsecgame.errors import ConnectError, RemoteConfigError, TlsError
from netsecgame.remote import InsecureConnectionWarning, RemoteEnvironment
from netsecgame.remote.certs import CertificateFolder, init
from netsecgame.remote.tls import diagnose, read_client_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from netsecgame.remote.server import RemoteServer

    Host = Callable[..., RemoteServer]

#: Of every client here: what goes wrong does so at once, except that nobody answers.
_CONNECT_S = 10.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> CertificateFolder:
    """Certificates for this machine."""
    return init(tmp_path_factory.mktemp("certs"), ["localhost", "127.0.0.1"])


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> CertificateFolder:
    """Certificates of another authority, for another machine."""
    return init(tmp_path_factory.mktemp("others"), ["trainer.lab", "10.1.2.3"])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where connections are accepted, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def _resign(
    folder: CertificateFolder, path: Path, first: datetime, last: datetime
) -> CertificateFolder:
    """The same certificates, the server's valid at another time."""
    made = CertificateFolder(path)
    shutil.copytree(folder.folder, path, dirs_exist_ok=True)
    certificate = x509.load_pem_x509_certificate(made.server.read_bytes())
    builder = x509.CertificateBuilder(
        issuer_name=certificate.issuer,
        subject_name=certificate.subject,
        public_key=certificate.public_key(),
        serial_number=certificate.serial_number,
        not_valid_before=first,
        not_valid_after=last,
    )
    for extension in certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    key: Any = load_pem_private_key(made.authority_key.read_bytes(), None)
    signed = builder.sign(key, hashes.SHA256())
    made.server.write_bytes(signed.public_bytes(Encoding.PEM))
    return made


def _play(port: int, paths: Any, url: str = "127.0.0.1") -> None:
    env = RemoteEnvironment(url, port, client_credentials_paths=paths)
    observation, _ = env.reset()
    assert env.observation_space.contains(observation)
    env.close()


def _refuse(port: int, paths: Any, url: str = "127.0.0.1") -> ConnectError:
    """The error that a client gets; the second look finds the same again."""
    with pytest.raises(ConnectError) as caught:
        RemoteEnvironment(url, port, client_credentials_paths=paths, connect_timeout_s=_CONNECT_S)
    layers = diagnose(url, port, read_client_credentials(paths), _CONNECT_S)
    assert layers[-1].error is not None
    assert layers[-1].error.reason == caught.value.reason
    assert all(layer.error is None for layer in layers[:-1])
    assert f"{url}:{port}" in str(caught.value)
    return caught.value


@pytest.mark.parametrize("url", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("mutual", [False, True])
def test_tls_with_matching_files_connects(
    host: Host, folder: CertificateFolder, url: str, mutual: bool
) -> None:
    server = host("obedient.py", *folder.server_paths(mutual=mutual))
    ca, *own = folder.client_paths()
    _play(server.port, (ca, *own) if mutual else (ca, None, None), url)
    layers = diagnose(url, server.port, read_client_credentials((ca, *own)), _CONNECT_S)
    assert [layer.error for layer in layers] == [None] * 5
    assert [layer.name for layer in layers] == [
        "name",
        "tcp",
        "tls",
        "certificate",
        "client certificate",
    ]


def test_tls_client_certificate_that_nobody_asks_for_connects(
    host: Host, folder: CertificateFolder
) -> None:
    server = host("obedient.py", *folder.server_paths(mutual=False))
    _play(server.port, folder.client_paths())


def test_tls_of_another_authority_is_untrusted(
    host: Host, folder: CertificateFolder, others: CertificateFolder
) -> None:
    server = host("obedient.py", *folder.server_paths(mutual=False))
    error = _refuse(server.port, (others.authority, None, None))
    assert isinstance(error, TlsError)
    assert error.reason == "untrusted_ca"
    assert str(others.authority) in str(error)


def test_tls_for_other_names_lists_them(host: Host, others: CertificateFolder) -> None:
    server = host("obedient.py", *others.server_paths(mutual=False))
    for url in ("127.0.0.1", "localhost"):
        error = _refuse(server.port, (others.authority, None, None), url)
        assert isinstance(error, TlsError)
        assert error.reason == "name_mismatch"
        assert "trainer.lab, 10.1.2.3" in str(error)


@pytest.mark.parametrize(("first", "last"), [(-3, -1), (1, 3)])
def test_tls_outside_its_dates_tells_them(
    host: Host, folder: CertificateFolder, tmp_path: Path, first: int, last: int
) -> None:
    now = datetime.now(UTC)
    not_before, not_after = now + timedelta(days=first), now + timedelta(days=last)
    made = _resign(folder, tmp_path, not_before, not_after)
    server = host("obedient.py", *made.server_paths(mutual=False))
    error = _refuse(server.port, (made.authority, None, None))
    assert isinstance(error, TlsError)
    assert error.reason == "expired"
    assert f"from {not_before:%Y-%m-%d %H:%M} to {not_after:%Y-%m-%d %H:%M} UTC" in str(error)


def test_mtls_without_client_certificate_says_so(host: Host, folder: CertificateFolder) -> None:
    server = host("obedient.py", *folder.server_paths(mutual=True))
    error = _refuse(server.port, (folder.authority, None, None))
    assert isinstance(error, TlsError)
    assert error.reason == "client_certificate_required"


def test_mtls_with_client_certificate_of_another_authority_says_so(
    host: Host, folder: CertificateFolder, others: CertificateFolder
) -> None:
    server = host("obedient.py", *folder.server_paths(mutual=True))
    error = _refuse(server.port, (folder.authority, others.client, others.client_key))
    assert isinstance(error, TlsError)
    assert error.reason == "client_certificate_rejected"
    assert str(others.client) in str(error)


@pytest.mark.parametrize("mutual", [False, True])
def test_plaintext_client_of_a_tls_server_says_so(
    host: Host, folder: CertificateFolder, mutual: bool
) -> None:
    server = host("obedient.py", *folder.server_paths(mutual=mutual))
    error = _refuse(server.port, None)
    assert isinstance(error, TlsError)
    assert error.reason == "server_speaks_tls"


@pytest.mark.parametrize("has_certificate", [False, True])
def test_tls_client_of_a_plaintext_server_says_so(
    host: Host, folder: CertificateFolder, has_certificate: bool
) -> None:
    own = (folder.client, folder.client_key) if has_certificate else (None, None)
    error = _refuse(host().port, (folder.authority, *own))
    assert isinstance(error, TlsError)
    assert error.reason == "server_speaks_plaintext"


@pytest.mark.parametrize("has_tls", [False, True])
def test_connect_where_nobody_listens_is_refused(folder: CertificateFolder, has_tls: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.close()
        error = _refuse(port, (folder.authority, None, None) if has_tls else None)
    assert not isinstance(error, TlsError)
    assert error.reason == "refused"


def test_connect_to_an_unknown_host_says_so() -> None:
    # Names below .invalid never exist; the warning is not what is looked at here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureConnectionWarning)
        error = _refuse(1, None, "nobody.invalid")
    assert error.reason == "unknown_host"


@pytest.mark.parametrize("has_tls", [False, True])
def test_connect_to_a_silent_server_times_out(
    folder: CertificateFolder, silent_port: int, has_tls: bool
) -> None:
    paths = (folder.authority, None, None) if has_tls else None
    with pytest.raises(ConnectError) as caught:
        RemoteEnvironment(
            "127.0.0.1", silent_port, client_credentials_paths=paths, connect_timeout_s=0.5
        )
    assert caught.value.reason == "timeout"


def test_plaintext_to_another_machine_warns_once(folder: CertificateFolder) -> None:
    # Addresses of documentation, which no machine has.
    def connect(url: str, **options: Any) -> None:
        with pytest.raises(ConnectError):
            RemoteEnvironment(url, 1, connect_timeout_s=0.2, **options)

    with pytest.warns(InsecureConnectionWarning, match=r"192\.0\.2\.1:1"):
        connect("192.0.2.1")
    connect("192.0.2.1")
    connect("192.0.2.2", insecure=True)
    connect("192.0.2.3", client_credentials_paths=(folder.authority, None, None))


@pytest.mark.parametrize("paths", ["ca.pem", ("ca.pem",), ("a", "b", "c", "d"), (None,) * 3])
def test_credentials_of_another_shape_are_refused(paths: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        RemoteEnvironment("127.0.0.1", 1, client_credentials_paths=paths)


def test_credentials_certificate_and_key_belong_together(folder: CertificateFolder) -> None:
    with pytest.raises(ValueError, match="expected its key"):
        read_client_credentials((folder.authority, folder.client, None))
    with pytest.raises(ValueError, match="expected its certificate"):
        read_client_credentials((folder.authority, None, folder.client_key))
    with pytest.raises(RemoteConfigError, match="expected a certificate and its key"):
        read_client_credentials((folder.authority, folder.client, folder.server_key))


def test_credentials_missing_file_is_not_found(folder: CertificateFolder) -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.pem"):
        read_client_credentials((folder.folder / "no.pem", None, None))


def test_credentials_file_of_something_else_is_refused(
    folder: CertificateFolder, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    other.write_text("something else")
    with pytest.raises(RemoteConfigError, match="expected certificates as PEM"):
        read_client_credentials((other, None, None))


def test_two_environments_of_one_process_use_credentials_of_their_own(
    host: Host, folder: CertificateFolder
) -> None:
    plain = host()
    tls = host("obedient.py", *folder.server_paths(mutual=False))
    mutual = host("obedient.py", *folder.server_paths(mutual=True))
    ca, *own = folder.client_paths()
    envs = [
        RemoteEnvironment("127.0.0.1", server.port, client_credentials_paths=paths)
        for server, paths in ((plain, None), (tls, (ca, None, None)), (mutual, (ca, *own)))
        for _ in range(2)
    ]
    seen = [env.reset()[0].tolist()[:3] for env in envs]
    assert seen == [[0, 1, 0], [1, 1, 0]] * 3
    for env in envs:
        assert env.step(0)[0].tolist()[2] == 1
        env.close()
