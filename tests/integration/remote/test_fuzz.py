"""Whatever a client sends, each message is answered and the server goes on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netsecgame.remote import messages
from netsecgame.remote.messages import DType
from netsecgame.remote.tensors import pack
from tests.integration.remote.peer import Peer, creating, making_anew, stepping

if TYPE_CHECKING:
    from netsecgame.remote.server import RemoteServer
    from tests.integration.remote.conftest import Hosting

NAME = "nsg1:0"

#: Requests that make sense somewhere.
REQUESTS = [
    creating(),
    creating(vector={"num_envs": 2, "autoreset": "next_step"}),
    creating(vector={"num_envs": "two"}),
    messages.create_world({"args": pack(3, DType.INT64)}),
    messages.create_world({"args": pack("[", DType.STRING)}),
    messages.join_world(NAME, {}),
    messages.join_world(
        NAME, {"nsg_client": pack('{"v":1,"kind":"single","frames":false}', DType.STRING)}
    ),
    messages.join_world(NAME, {"nsg_client": pack('{"kind":[]}', DType.STRING)}),
    messages.join_world("other", {}),
    stepping(0),
    stepping(1),
    stepping(-1),
    messages.step({}, []),
    messages.step({7: pack(0, DType.INT64)}, [9]),
    messages.reset({}),
    messages.reset({"seed": pack("x", DType.STRING)}),
    messages.reset({"seed": pack(3, DType.INT64)}),
    making_anew(NAME),
    making_anew("other"),
    messages.leave_world(),
    messages.destroy_world(NAME),
    messages.read_property("describe"),
    messages.read_property("frame"),
    messages.read_property("attr/secret"),
    messages.list_property(""),
]


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """A request with some bytes changed, cut off or added."""
    request = bytearray(draw(st.sampled_from(REQUESTS)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(request)))
        match draw(st.integers(0, 2)):
            case 0 if at < len(request):
                request[at] = draw(st.integers(0, 255))
            case 1:
                del request[at:]
            case _:
                request[at:at] = draw(st.binary(max_size=8))
    return bytes(request)


ANY_REQUEST = st.one_of(st.sampled_from(REQUESTS), _mutated(), st.binary(max_size=64))


@pytest.mark.parametrize(("mode", "examples"), [("inline", 150), ("process", 30)])
def test_fuzz_each_message_is_answered_and_the_server_goes_on(
    host: Hosting, caplog: pytest.LogCaptureFixture, mode: str, examples: int
) -> None:
    server = host("cartpole.py", mode=mode)

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.lists(ANY_REQUEST, min_size=1, max_size=20))
    def play(requests: list[bytes]) -> None:
        _play(server, requests)

    with caplog.at_level(logging.ERROR):
        play()
    assert [record.getMessage() for record in caplog.records] == []
    assert server.stats()["environments"] == 0


def _play(server: RemoteServer, requests: list[bytes]) -> None:
    with Peer(server.port) as peer:
        for request in requests:
            peer.send(request)
        for request in requests:
            answer = peer.receive().WhichOneof("payload")
            kind = messages.kind_of(request)
            assert answer == "error" or answer == (kind and kind.name.lower())
        peer.finish()
    assert server.environments == []
