"""How many environments there may be, and whose."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import pytest

from netsecgame.remote import certs, messages
from netsecgame.remote.reports import Reason
from tests.integration.remote.entrypoints.obedient import GO
from tests.integration.remote.peer import (
    Peer,
    creating,
    creating_with,
    status_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.remote.conftest import Hosting

    WaitUntil = Callable[[Callable[[], object]], None]

VECTOR = {"num_envs": 3, "autoreset": "next_step"}


def test_limit_of_environments_one_too_many_refused(host: Hosting) -> None:
    server = host(max_environments=2)
    with Peer(server.port) as one, Peer(server.port) as two, Peer(server.port) as three:
        one.play()
        two.play()

        error = three.refuse(creating())

        assert (error.code, error.reason) == (8, Reason.FULL)
        assert "max_environments is 2" in error.message
        assert server.stats()["refusals"] == {"FULL": 1}
        one.finish()
        assert three.play()[0] == 0


def test_limit_of_environments_counts_those_of_vectors(host: Hosting) -> None:
    with Peer((server := host(max_environments=4)).port) as one, Peer(server.port) as two:
        one.take(creating(vector=VECTOR))

        assert two.refuse(creating(vector={**VECTOR, "num_envs": 2})).reason is Reason.FULL
        assert two.play()[0] == 3


def test_limit_of_client_counts_a_vector_once(host: Hosting) -> None:
    server = host(max_environments_per_client=2)
    with Peer(server.port) as one, Peer(server.port) as two, Peer(server.port) as three:
        one.take(creating(vector=VECTOR))
        two.create()

        error = three.refuse(creating())

        assert error.reason is Reason.FULL
        assert "max_environments_per_client is 2" in error.message


def test_limit_of_vector_larger_one_refused(host: Hosting) -> None:
    with Peer(host(max_envs_per_stream=2).port) as peer:
        error = peer.refuse(creating(vector=VECTOR))

        assert error.reason is Reason.FULL
        assert "max_envs_per_stream is 2" in error.message


@pytest.mark.parametrize("num_envs", [0, -1, 1.5, True, None, "3", 10**400])
def test_vector_of_no_number_refused(host: Hosting, num_envs: Any) -> None:
    server = host()
    with Peer(server.port) as peer:
        error = peer.refuse(creating(vector={"num_envs": num_envs, "autoreset": "next_step"}))

        assert error.reason is (Reason.FULL if num_envs == 10**400 else Reason.BAD_ARGS)
        assert server.environments == []


def test_numbers_smallest_free_are_taken_in_a_row(host: Hosting) -> None:
    server = host()
    peers = [Peer(server.port) for _ in range(5)]
    with peers[0], peers[1], peers[2], peers[3], peers[4]:
        for number, peer in enumerate(peers[:3]):
            assert peer.play()[0] == number
        peers[1].finish()

        peers[3].take(creating(vector=VECTOR))
        peers[4].create()

        assert [each.env_id for each in server.environments] == [0, 1, 2, 3]
        assert peers[3].take(messages.leave_world()) is not None
        assert server.stats()["environments"] == 6


@pytest.mark.parametrize(
    ("mode", "count"), [("inline", 2_000), ("thread", 2_000), ("process", 100)]
)
def test_failing_creations_take_no_numbers(host: Hosting, mode: str, count: int) -> None:
    server = host(mode=mode)
    failing = creating(raise_in="constructor")
    with Peer(server.port) as peer:
        for _ in range(count):
            assert peer.refuse(failing).reason is Reason.ENV_RAISED

        assert peer.play()[0] == 0
        assert server.stats()["environments_ever"] == 1
        assert server.stats()["refusals"] == {"ENV_RAISED": count}


def test_creations_at_once_never_exceed_the_limit(host: Hosting) -> None:
    server = host(mode="process", max_environments=3)
    peers = [Peer(server.port) for _ in range(8)]
    try:
        with ThreadPoolExecutor(len(peers)) as pool:
            answers = list(pool.map(lambda peer: peer.ask(creating()).WhichOneof("payload"), peers))
    finally:
        for peer in peers:
            peer.drop()
    assert sorted(answers) == ["create_world"] * 3 + ["error"] * 5


def test_message_longer_than_the_limit_ends_the_stream_only(host: Hosting) -> None:
    server = host(max_message_bytes=10_000)
    with Peer(server.port) as peer, Peer(server.port) as other:
        other.play()
        peer.play(secret="x" * 5_000)
        peer.send(creating(secret="x" * 10_000))

        assert peer.end().code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert other.step(GO)[2] == 1


def test_silent_client_loses_its_environment(host: Hosting) -> None:
    server = host(mode="process", idle_timeout_s=0.3)
    with Peer(server.port) as peer:
        peer.play()

        assert status_of(peer.end()) == ("DEADLINE_EXCEEDED", "IDLE")
    with Peer(server.port) as peer:
        assert status_of(peer.end()) == ("DEADLINE_EXCEEDED", "IDLE")


def test_silent_client_number_is_free_again(host: Hosting, wait_until: WaitUntil) -> None:
    server = host(idle_timeout_s=0.3)
    with Peer(server.port) as peer:
        peer.play()
        peer.end()
        wait_until(lambda: server.environments == [])


# --- who may what ---------------------------------------------------------------------------------


class Pair(NamedTuple):
    """A server's paths, and the credentials of two clients: `client` and `other`."""

    server: tuple[object, ...]
    client: grpc.ChannelCredentials
    other: grpc.ChannelCredentials


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("certificates")
    made = certs.init(folder / "one", ["127.0.0.1"])
    other = certs.make_client_certificate(folder / "two", "other", authority=folder / "one")
    return Pair(made.server_paths(mutual=True), _credentials(made), _credentials(other))


def _credentials(folder: certs.CertificateFolder) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        folder.authority.read_bytes(), folder.client_key.read_bytes(), folder.client.read_bytes()
    )


def test_clients_each_has_its_own_limits(host: Hosting, mutual: Pair) -> None:
    clients = {"client": {"max_environments": 1, "max_envs_per_stream": 2}, "*": {}}
    server = host("obedient.py", *mutual.server, clients=clients)
    with (
        Peer(server.port, mutual.client) as one,
        Peer(server.port, mutual.client) as two,
        Peer(server.port, mutual.other) as three,
        Peer(server.port, mutual.other) as four,
    ):
        assert one.refuse(creating(vector=VECTOR)).reason is Reason.FULL
        one.create()
        assert two.refuse(creating()).reason is Reason.FULL
        three.create()
        four.take(creating(vector=VECTOR))

        assert [each.identity for each in server.environments] == ["client", "other", "other"]


def test_clients_unknown_one_refused(host: Hosting, mutual: Pair) -> None:
    server = host("obedient.py", *mutual.server, clients={"client": {}})
    with Peer(server.port, mutual.client) as one, Peer(server.port, mutual.other) as two:
        one.create()

        assert two.refuse(creating()).reason is Reason.NOT_ALLOWED


def test_clients_entrypoints_each_plays_its_own(host: Hosting, mutual: Pair) -> None:
    clients = {"client": {"entrypoints": ["cartpole.py"]}, "*": {}}
    server = host("obedient.py", *mutual.server, clients=clients)
    with Peer(server.port, mutual.client) as one, Peer(server.port, mutual.other) as two:
        assert one.refuse(creating()).reason is Reason.NOT_ALLOWED
        one.take(creating_with({"entrypoint": "cartpole.py"}))
        two.create()

        assert [each.entrypoint for each in server.environments] == ["cartpole.py", "obedient.py"]


def test_limit_of_client_counts_by_address_without_certificates(host: Hosting) -> None:
    server = host(max_environments_per_client=1)
    with Peer(server.port) as one, Peer(server.port) as two:
        one.create()

        assert two.refuse(creating()).reason is Reason.FULL
        assert server.environments[0].identity is None
        assert server.environments[0].peer.startswith("ipv4:127.0.0.1:")


def test_authorize_sees_who_wants_what_and_refuses(host: Hosting, mutual: Pair) -> None:
    seen = []

    def authorize(identity: str | None, args: Any) -> None:
        seen.append((identity, args))
        if identity == "other":
            raise PermissionError("not on Sundays")

    server = host("obedient.py", *mutual.server, authorize=authorize, kwargs={"secret": 1})
    with Peer(server.port, mutual.client) as one, Peer(server.port, mutual.other) as two:
        one.create(more=2)
        error = two.refuse(creating())

        assert (error.code, error.reason) == (7, Reason.NOT_ALLOWED)
        assert error.message == "not on Sundays"
        assert two.refuse(creating()).type_name == "NotAllowedError"
        args = {"entrypoint": "obedient.py", "entrypoint_kwargs": {"secret": 1, "more": 2}}
        assert seen[0] == ("client", args)
        assert [each.identity for each in server.environments] == ["client"]


def test_authorize_cannot_change_what_is_made(host: Hosting) -> None:
    def authorize(_: str | None, args: Any) -> None:
        args["entrypoint"] = "cartpole.py"

    server = host(authorize=authorize)
    with Peer(server.port) as peer:
        peer.create()

        assert server.environments[0].entrypoint == "obedient.py"


def test_authorize_takes_too_long_refused(host: Hosting) -> None:
    may_end = Event()
    server = host(authorize=lambda *_: may_end.wait(), create_timeout_s=0.2)
    with Peer(server.port) as peer:
        error = peer.refuse(creating())
        may_end.set()

        assert error.reason is Reason.NOT_ALLOWED
