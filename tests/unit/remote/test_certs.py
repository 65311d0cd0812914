from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from netsecgame.errors import RemoteConfigError
from netsecgame.remote import certs
from netsecgame.remote.certs import CertificateFolder, describe

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem", "client.pem", "client-key.pem"]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def shake_hands(
    server: CertificateFolder,
    client: CertificateFolder,
    host: str,
    *,
    has_certificate: bool = True,
) -> dict[str, Any] | None:
    """Mutual TLS, as strict as Python can be; what the server sees of the client."""
    of_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key, authority = server.server_paths(mutual=True)
    of_server.load_cert_chain(certificate, key)
    of_server.load_verify_locations(authority)
    of_server.verify_mode = ssl.CERT_REQUIRED
    of_client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    root, own, own_key = client.client_paths()
    of_client.load_verify_locations(root)
    if has_certificate:
        assert own is not None
        of_client.load_cert_chain(own, own_key)
    for context in (of_server, of_client):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        of_client.wrap_bio(back, there, server_hostname=host),
        of_server.wrap_bio(there, back, server_side=True),
    ]
    for _ in range(3):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return sides[1].getpeercert()


class TestInit:
    def test_init_writes_the_six_files_and_nobody_else_reads_keys(self, tmp_path: Path) -> None:
        folder = tmp_path / "new" / "certs"

        certs.init(folder, ["trainer.lab"])

        assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
        for name in NAMES:
            assert mode_of(folder / name) == (0o600 if "key" in name else 0o644)

    @pytest.mark.parametrize("host", ["trainer.lab", "10.0.0.5", "2001:db8::1"])
    def test_init_certificates_make_mutual_tls(self, tmp_path: Path, host: str) -> None:
        made = certs.init(tmp_path, [host])

        seen = shake_hands(made, made, host)

        assert seen is not None
        assert seen["subjectAltName"] == (("DNS", "client"),)

    def test_init_certificate_of_the_server_is_for_its_hosts_only(self, tmp_path: Path) -> None:
        made = certs.init(tmp_path, ["trainer.lab"])

        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            shake_hands(made, made, "localhost")

    def test_init_without_hosts_is_for_this_machine(self, tmp_path: Path) -> None:
        made = certs.init(tmp_path)

        assert describe(made.server).names == ("localhost", "127.0.0.1", "::1")
        assert shake_hands(made, made, "127.0.0.1")

    def test_init_hosts_are_written_as_certificates_have_them(self, tmp_path: Path) -> None:
        hosts = ["Trainer.Lab.", "trainer.lab", "[::1]", "*.lab", "fünf.example", "my_host"]

        made = certs.init(tmp_path, hosts)

        names = ("trainer.lab", "::1", "*.lab", "xn--fnf-hoa.example", "my_host")
        assert describe(made.server).names == names

    def test_init_with_a_long_host_works(self, tmp_path: Path) -> None:
        host = f"{'a' * 60}.{'b' * 60}.lab"

        made = certs.init(tmp_path, [host])

        assert shake_hands(made, made, host)

    @pytest.mark.parametrize("name", NAMES)
    def test_init_with_a_file_there_writes_nothing(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("mine")

        with pytest.raises(RemoteConfigError, match=f"{name} is there already"):
            certs.init(tmp_path)

        assert contents(tmp_path) == {name: b"mine"}

    def test_init_by_force_makes_all_anew(self, tmp_path: Path) -> None:
        certs.init(tmp_path)
        before = contents(tmp_path)
        (tmp_path / "server-key.pem").chmod(0o644)

        made = certs.init(tmp_path, force=True)

        after = contents(tmp_path)
        assert all(before[name] != after[name] for name in NAMES)
        assert mode_of(made.server_key) == 0o600
        assert shake_hands(made, made, "localhost")

    @pytest.mark.parametrize(
        "host", ["", "a b", "http://lab", "lab:80", "-lab", "lab-", "a..b", "*", "a*", "a" * 300]
    )
    def test_init_with_what_is_no_host_writes_nothing(self, tmp_path: Path, host: str) -> None:
        with pytest.raises(RemoteConfigError, match="expected the name or address of a host"):
            certs.init(tmp_path, ["lab", host])

        assert not contents(tmp_path)

    @pytest.mark.parametrize("days", [0, -1, 10**9, 10**12])
    def test_init_with_impossible_days_writes_nothing(self, tmp_path: Path, days: int) -> None:
        with pytest.raises(RemoteConfigError, match="days: "):
            certs.init(tmp_path, days=days)

        assert not contents(tmp_path)

    def test_init_days_say_how_long_all_are_valid(self, tmp_path: Path) -> None:
        made = certs.init(tmp_path, days=30)
        now = datetime.now(UTC)

        for path in made.certificates():
            facts = describe(path)
            assert abs(facts.not_after - now - timedelta(days=30)) < timedelta(minutes=5)
            assert facts.not_before < now


class TestSigned:
    def test_client_of_another_authority_is_rejected(self, tmp_path: Path) -> None:
        server = certs.init(tmp_path / "a")
        client = certs.init(tmp_path / "b")
        client.authority.write_bytes(server.authority.read_bytes())

        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(server, client, "localhost")

    def test_client_without_its_certificate_is_rejected(self, tmp_path: Path) -> None:
        made = certs.init(tmp_path)

        with pytest.raises(ssl.SSLError, match="did not return a certificate"):
            shake_hands(made, made, "localhost", has_certificate=False)

    def test_server_certificate_is_none_for_a_client(self, tmp_path: Path) -> None:
        made = certs.init(tmp_path)
        made.client.write_bytes(made.server.read_bytes())
        made.client_key.write_bytes(made.server_key.read_bytes())

        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(made, made, "localhost")

    def test_client_in_a_folder_of_its_own_has_no_key_of_the_authority(
        self, tmp_path: Path
    ) -> None:
        server = certs.init(tmp_path / "server")

        client = certs.make_client_certificate(
            tmp_path / "worker", "worker-2", authority=tmp_path / "server"
        )

        assert sorted(contents(client.folder)) == ["ca.pem", "client-key.pem", "client.pem"]
        seen = shake_hands(server, client, "localhost")
        assert seen is not None
        assert seen["subjectAltName"] == (("DNS", "worker-2"),)

    def test_server_renewed_is_trusted_by_the_old_client(self, tmp_path: Path) -> None:
        made = certs.init(tmp_path)
        old = made.server.read_bytes()

        certs.make_server_certificate(tmp_path, ["trainer.lab"], force=True)

        assert made.server.read_bytes() != old
        assert shake_hands(made, made, "trainer.lab")

    def test_server_and_client_there_already_are_left_alone(self, tmp_path: Path) -> None:
        certs.init(tmp_path)
        before = contents(tmp_path)

        for make in (
            certs.make_server_certificate,
            certs.make_client_certificate,
            certs.make_authority,
        ):
            with pytest.raises(RemoteConfigError, match="is there already"):
                make(tmp_path)
        assert contents(tmp_path) == before

    def test_certificate_is_valid_no_longer_than_its_authority(self, tmp_path: Path) -> None:
        certs.make_authority(tmp_path, days=10)

        made = certs.make_server_certificate(tmp_path, days=100)

        assert describe(made.server).not_after == describe(made.authority).not_after

    def test_signing_without_an_authority_raises(self, tmp_path: Path) -> None:
        with pytest.raises(RemoteConfigError, match=r"there is no file .*ca\.pem"):
            certs.make_client_certificate(tmp_path)

    def test_signing_with_the_key_of_another_raises(self, tmp_path: Path) -> None:
        made, other = certs.init(tmp_path / "a"), certs.init(tmp_path / "b")
        made.authority_key.write_bytes(other.authority_key.read_bytes())

        with pytest.raises(RemoteConfigError, match=r"is not the key of .*ca\.pem"):
            certs.make_client_certificate(made.folder, force=True)

    def test_signing_with_a_certificate_that_is_no_authority_raises(self, tmp_path: Path) -> None:
        made = certs.init(tmp_path)
        made.authority.write_bytes(made.server.read_bytes())

        with pytest.raises(RemoteConfigError, match="not the certificate of an authority"):
            certs.make_client_certificate(made.folder, force=True)

    def test_signing_where_another_authority_lies_raises(self, tmp_path: Path) -> None:
        certs.init(tmp_path / "a")
        certs.init(tmp_path / "b")

        with pytest.raises(RemoteConfigError, match="is not the certificate of"):
            certs.make_client_certificate(tmp_path / "a", authority=tmp_path / "b", force=True)

    @pytest.mark.parametrize("name", ["ca.pem", "ca-key.pem"])
    def test_signing_with_a_broken_file_names_it(self, tmp_path: Path, name: str) -> None:
        certs.init(tmp_path)
        (tmp_path / name).write_text("broken")

        with pytest.raises(RemoteConfigError, match=rf"{name}: no (key|certificate) can be read"):
            certs.make_client_certificate(tmp_path, force=True)


def write_authority(
    made: CertificateFolder,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
    *,
    days: int = 10,
) -> None:
    """An authority as other tools make it: no key identifiers, and a key in the older form."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CZ"),
            x509.NameAttribute(NameOID.COMMON_NAME, "other tool"),
        ]
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=20))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    is_old = not isinstance(key, ed25519.Ed25519PrivateKey)
    form = serialization.PrivateFormat
    pem = serialization.Encoding.PEM
    made.folder.mkdir(exist_ok=True)
    made.authority.write_bytes(certificate.public_bytes(pem))
    made.authority_key.write_bytes(
        key.private_bytes(
            pem,
            form.TraditionalOpenSSL if is_old else form.PKCS8,
            serialization.NoEncryption(),
        )
    )


class TestOtherTools:
    @pytest.mark.parametrize("kind", ["ec", "rsa"])
    def test_signing_with_the_authority_of_another_tool_works(
        self, tmp_path: Path, kind: str
    ) -> None:
        made = CertificateFolder(tmp_path)
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = (
            ec.generate_private_key(ec.SECP384R1())
            if kind == "ec"
            else rsa.generate_private_key(65537, 2048)
        )
        write_authority(made, key)

        certs.make_server_certificate(tmp_path, ["trainer.lab"])
        certs.make_client_certificate(tmp_path, "worker")

        certificate = x509.load_pem_x509_certificate(made.server.read_bytes())
        authority = x509.load_pem_x509_certificate(made.authority.read_bytes())
        certificate.verify_directly_issued_by(authority)
        assert describe(made.client).issuer == "CN=other tool,C=CZ"

    def test_signing_with_another_kind_of_key_raises(self, tmp_path: Path) -> None:
        write_authority(CertificateFolder(tmp_path), ed25519.Ed25519PrivateKey.generate())

        with pytest.raises(RemoteConfigError, match="expected an elliptic curve or RSA key"):
            certs.make_client_certificate(tmp_path)

    def test_signing_with_an_expired_authority_raises(self, tmp_path: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        write_authority(CertificateFolder(tmp_path), key, days=-1)

        with pytest.raises(RemoteConfigError, match="the authority has expired on 20"):
            certs.make_client_certificate(tmp_path)


class TestDescribe:
    def test_describe_tells_what_the_certificate_says(self, tmp_path: Path) -> None:
        made = certs.init(tmp_path, ["trainer.lab", "10.0.0.5"])

        server, authority = describe(made.server), describe(made.authority)

        certificate = x509.load_pem_x509_certificate(made.server.read_bytes())
        assert server.path == made.server
        assert server.subject == "CN=trainer.lab"
        assert server.issuer == authority.subject == authority.issuer
        assert server.names == ("trainer.lab", "10.0.0.5")
        assert server.not_after == certificate.not_valid_after_utc
        assert server.fingerprint == certificate.fingerprint(hashes.SHA256()).hex()
        assert (server.is_authority, authority.is_authority) == (False, True)
        assert authority.names == ()

    def test_describe_keys_are_of_curve_p256(self, tmp_path: Path) -> None:
        made = certs.init(tmp_path)

        for path in made.certificates():
            public = x509.load_pem_x509_certificate(path.read_bytes()).public_key()
            assert isinstance(public, ec.EllipticCurvePublicKey)
            assert isinstance(public.curve, ec.SECP256R1)

    @pytest.mark.parametrize("content", [None, b"", b"broken"])
    def test_describe_what_is_no_certificate_names_the_file(
        self, tmp_path: Path, content: bytes | None
    ) -> None:
        path = tmp_path / "x.pem"
        if content is not None:
            path.write_bytes(content)

        with pytest.raises(RemoteConfigError, match=r"x\.pem: "):
            describe(path)


class TestPaths:
    def test_server_paths_have_the_authority_if_mutual(self, tmp_path: Path) -> None:
        made = certs.init(tmp_path)
        own = (str(tmp_path / "server.pem"), str(tmp_path / "server-key.pem"))

        assert made.server_paths(mutual=True) == (*own, str(tmp_path / "ca.pem"))
        assert made.server_paths(mutual=False) == (*own, None)

    def test_server_paths_without_the_authority_serve_tls_only(self, tmp_path: Path) -> None:
        made = certs.init(tmp_path)
        made.authority.unlink()

        assert made.server_paths(mutual=False)
        with pytest.raises(RemoteConfigError, match=r"there is no file .*ca\.pem"):
            made.server_paths(mutual=True)

    def test_client_paths_without_a_certificate_have_the_authority_only(
        self, tmp_path: Path
    ) -> None:
        made = certs.make_authority(tmp_path)

        assert made.client_paths() == (str(tmp_path / "ca.pem"), None, None)

    @pytest.mark.parametrize("name", ["ca.pem", "client.pem", "client-key.pem"])
    def test_client_paths_with_one_file_missing_name_it(self, tmp_path: Path, name: str) -> None:
        made = certs.init(tmp_path)
        (tmp_path / name).unlink()

        with pytest.raises(RemoteConfigError, match=f"there is no file .*{name}"):
            made.client_paths()
