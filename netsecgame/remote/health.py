"""What a gRPC server says of its health."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from netsecgame.remote.tls import join_address
from netsecgame.remote.wire_schema import SERVICE

if TYPE_CHECKING:
    from netsecgame.remote.tls import ClientCredentials

_STATUS = health_pb2.HealthCheckResponse.ServingStatus


class Health(NamedTuple):
    """Of the service of environments.

    Attributes:
        is_serving: Whether it takes clients.
        text: What the server said.
    """

    is_serving: bool
    text: str


def ask_health(
    url: str, port: int, credentials: ClientCredentials | None, timeout_s: float
) -> Health | None:
    """Whether there is a server of environments that takes clients; None if it does not tell.

    Args:
        url: Of the server.
        port: Of the server.
        credentials: None is plaintext.
        timeout_s: For the whole question.
    """
    address = join_address(url, port)
    arguments = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    if credentials is None:
        channel = grpc.insecure_channel(address, arguments)
    else:
        channel = grpc.secure_channel(address, credentials.for_grpc(), arguments)
    request = health_pb2.HealthCheckRequest(service=SERVICE)
    with channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_s)
        except grpc.RpcError as error:
            match error.code():
                case grpc.StatusCode.UNIMPLEMENTED:
                    return None
                case grpc.StatusCode.NOT_FOUND:
                    text = f"this gRPC server has no service {SERVICE}"
                case code:
                    text = f"{code.name}: {error.details()}"
            return Health(False, text)
    name = _STATUS.Name(answer.status)
    return Health(answer.status == _STATUS.Value("SERVING"), f"{SERVICE} is {name}")
