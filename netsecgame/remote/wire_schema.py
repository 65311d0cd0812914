"""The messages on the wire, as a stored descriptor in a pool of their own.

No generated code has to match the installed protobuf release, and another program's definition of
the same names in the default pool is not disturbed.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

SERVICE = "dm_env_rpc.v1.Environment"
PROCESS = f"/{SERVICE}/Process"
PROPERTIES = "dm_env_rpc.v1.extensions.properties"

_File = descriptor_pb2.FileDescriptorProto
_Message = descriptor_pb2.DescriptorProto
_Field = descriptor_pb2.FieldDescriptorProto

#: Types of fields; every other word is the name of a message or, after `enum`, of an enumeration.
_SCALARS = {
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
}


def _describe(package: str, name: str, *lines: str, oneof: str = "") -> _Message:
    """A message of fields like ``1 string name`` or ``2 map uint64 TensorSpec actions``.

    Names of messages are looked up in `package` unless they begin at the top. With `oneof`, all
    fields that are neither maps nor repeated are members of the oneof of that name.
    """
    message = _Message(name=name)
    if oneof:
        message.oneof_decl.add(name=oneof)
    for line in lines:
        number, *kind, type_name, field_name = line.split()
        field = message.field.add(name=field_name, number=int(number), label=_Field.LABEL_OPTIONAL)
        if kind[:1] == ["map"]:
            camel = "".join(part.title() for part in field_name.split("_"))
            entry = _describe(package, f"{camel}Entry", f"1 {kind[1]} key", f"2 {type_name} value")
            entry.options.map_entry = True
            message.nested_type.append(entry)
            field.label = _Field.LABEL_REPEATED
            _set_type(field, f"{package}.{name}.{entry.name}", package, is_enum=False)
            continue
        _set_type(field, type_name, package, is_enum="enum" in kind)
        if "repeated" in kind:
            field.label = _Field.LABEL_REPEATED
        elif oneof:
            field.oneof_index = 0
    return message


def _set_type(field: _Field, type_name: str, package: str, *, is_enum: bool) -> None:
    if type_name in _SCALARS:
        field.type = _SCALARS[type_name]
        return
    field.type = _Field.TYPE_ENUM if is_enum else _Field.TYPE_MESSAGE
    whole = type_name.startswith(("dm_env_rpc.", "google."))
    field.type_name = f".{type_name}" if whole else f".{package}.{type_name}"


def _enumerate(file: _File, name: str, *values: str) -> None:
    enum = file.enum_type.add(name=name)
    for number, value in enumerate(values):
        enum.value.add(name=value, number=number)


_ARRAYS = (
    ("Float", "repeated float"),
    ("Double", "repeated double"),
    ("Int8", "bytes"),
    ("Int32", "repeated int32"),
    ("Int64", "repeated int64"),
    ("Uint8", "bytes"),
    ("Uint32", "repeated uint32"),
    ("Uint64", "repeated uint64"),
    ("Bool", "repeated bool"),
    ("String", "repeated string"),
    ("Proto", "repeated google.protobuf.Any"),
)


def _dm_env_rpc() -> _File:
    package = "dm_env_rpc.v1"
    file = _File(name="dm_env_rpc/v1/dm_env_rpc.proto", package=package, syntax="proto3")
    file.dependency.extend(["google/protobuf/any.proto", "google/rpc/status.proto"])

    def add(name: str, *lines: str, oneof: str = "") -> _Message:
        file.message_type.append(_describe(package, name, *lines, oneof=oneof))
        return file.message_type[-1]

    _enumerate(
        file,
        "DataType",
        *("INVALID_DATA_TYPE", "FLOAT", "DOUBLE", "INT8", "INT32", "INT64", "UINT8", "UINT32"),
        *("UINT64", "BOOL", "STRING", "PROTO"),
    )
    _enumerate(
        file,
        "EnvironmentStateType",
        *("INVALID_ENVIRONMENT_STATE", "RUNNING", "TERMINATED", "INTERRUPTED"),
    )
    tensor = add(
        "Tensor",
        *(
            f"{number} Tensor.{name}Array {name.lower()}s"
            for number, (name, _) in enumerate(_ARRAYS, 1)
        ),
        "15 repeated int32 shape",
        oneof="payload",
    )
    tensor.nested_type.extend(
        _describe(package, f"{name}Array", f"1 {kind} array") for name, kind in _ARRAYS
    )
    spec = add(
        "TensorSpec",
        "1 string name",
        "2 repeated int32 shape",
        "3 enum DataType dtype",
        "4 TensorSpec.Value min",
        "5 TensorSpec.Value max",
    )
    numeric = _ARRAYS[:8]
    spec.nested_type.append(
        _describe(
            package,
            "Value",
            *(
                f"{number} Tensor.{name}Array {name.lower()}s"
                for number, (name, _) in enumerate(numeric, 9)
            ),
            oneof="payload",
        )
    )
    add(
        "ActionObservationSpecs",
        "1 map uint64 TensorSpec actions",
        "2 map uint64 TensorSpec observations",
    )
    add("CreateWorldRequest", "1 map string Tensor settings")
    add("CreateWorldResponse", "1 string world_name")
    add("JoinWorldRequest", "1 string world_name", "2 map string Tensor settings")
    add("JoinWorldResponse", "1 ActionObservationSpecs specs")
    add("StepRequest", "1 map uint64 Tensor actions", "2 repeated uint64 requested_observations")
    add("StepResponse", "1 enum EnvironmentStateType state", "2 map uint64 Tensor observations")
    add("ResetRequest", "1 map string Tensor settings")
    add("ResetResponse", "1 ActionObservationSpecs specs")
    add("ResetWorldRequest", "1 string world_name", "2 map string Tensor settings")
    add("ResetWorldResponse")
    add("LeaveWorldRequest")
    add("LeaveWorldResponse")
    add("DestroyWorldRequest", "1 string world_name")
    add("DestroyWorldResponse")
    for direction, more in (("Request", ()), ("Response", ("16 google.rpc.Status error",))):
        add(
            f"Environment{direction}",
            f"1 CreateWorld{direction} create_world",
            f"2 JoinWorld{direction} join_world",
            f"3 Step{direction} step",
            f"4 Reset{direction} reset",
            f"5 ResetWorld{direction} reset_world",
            f"6 LeaveWorld{direction} leave_world",
            f"7 DestroyWorld{direction} destroy_world",
            "15 google.protobuf.Any extension",
            *more,
            oneof="payload",
        )
    file.service.add(name="Environment").method.add(
        name="Process",
        input_type=f".{package}.EnvironmentRequest",
        output_type=f".{package}.EnvironmentResponse",
        client_streaming=True,
        server_streaming=True,
    )
    return file


def _properties() -> _File:
    file = _File(
        name="dm_env_rpc/v1/extensions/properties.proto", package=PROPERTIES, syntax="proto3"
    )
    file.dependency.append("dm_env_rpc/v1/dm_env_rpc.proto")
    tensor, spec = "dm_env_rpc.v1.Tensor", "dm_env_rpc.v1.TensorSpec"
    bodies: dict[str, dict[str, tuple[str, ...]]] = {
        "Request": {
            "ReadProperty": ("1 string key",),
            "WriteProperty": ("1 string key", f"2 {tensor} value"),
            "ListProperty": ("1 string key",),
        },
        "Response": {
            "ReadProperty": (f"1 {tensor} value",),
            "WriteProperty": (),
            "ListProperty": (f"1 repeated {PROPERTIES}.PropertySpec values",),
        },
    }
    file.message_type.append(
        _describe(
            PROPERTIES,
            "PropertySpec",
            f"1 {spec} spec",
            "2 bool is_readable",
            "3 bool is_writable",
            "4 bool is_listable",
        )
    )
    for direction, nested in bodies.items():
        for name, lines in nested.items():
            file.message_type.append(_describe(PROPERTIES, f"{name}{direction}", *lines))
        file.message_type.append(
            _describe(
                PROPERTIES,
                f"Property{direction}",
                f"1 ReadProperty{direction} read_property",
                f"2 WriteProperty{direction} write_property",
                f"3 ListProperty{direction} list_property",
                oneof="payload",
            )
        )
    return file


def _google_rpc() -> tuple[_File, _File]:
    status = _File(name="google/rpc/status.proto", package="google.rpc", syntax="proto3")
    status.dependency.append("google/protobuf/any.proto")
    status.message_type.append(
        _describe(
            "google.rpc",
            "Status",
            "1 int32 code",
            "2 string message",
            "3 repeated google.protobuf.Any details",
        )
    )
    details = _File(name="google/rpc/error_details.proto", package="google.rpc", syntax="proto3")
    details.message_type.append(
        _describe(
            "google.rpc",
            "ErrorInfo",
            "1 string reason",
            "2 string domain",
            "3 map string string metadata",
        )
    )
    return status, details


def _make_pool() -> Any:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
    for file in (*_google_rpc(), _dm_env_rpc(), _properties()):
        pool.AddSerializedFile(file.SerializeToString())
    return pool


#: All that this module describes; for those who show it to others (reflection).
POOL = _make_pool()


def message_class(full_name: str) -> Any:
    """The class of a message, e.g. ``dm_env_rpc.v1.Tensor``."""
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(full_name))
