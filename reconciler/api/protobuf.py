"""As much of Kubernetes' protobuf encoding as kubectl insists on in a DELETE: the envelope and `DeleteOptions`.

kubectl's typed clients (`drain` among them) send bodies in protobuf whatever the server prefers. An envelope is
four bytes of magic and a `runtime.Unknown`, whose second field is the message itself.
"""

from collections.abc import Iterator

from reconciler.api.options import DeleteOptions, Preconditions
from reconciler.api.status import bad_request

MEDIA = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"

Value = int | bytes


def delete_options(body: bytes) -> DeleteOptions:
    """The options in an enveloped body. Raises the 400."""
    try:
        if not body.startswith(MAGIC):
            raise ValueError("no envelope")
        raw = dict(_fields(body[len(MAGIC) :])).get(2, b"")
        found = list(_fields(_bytes(raw)))
    except (ValueError, IndexError) as error:
        raise bad_request(f"the body must be DeleteOptions: {error}") from None
    known = dict(found)
    return DeleteOptions(
        grace_period_seconds=_signed(known[1]) if 1 in known else None,
        preconditions=_preconditions(_bytes(known[2])) if 2 in known else None,
        orphan_dependents=bool(known[3]) if 3 in known else None,
        propagation_policy=_bytes(known[4]).decode() if 4 in known else None,
        dry_run=tuple(_bytes(value).decode() for number, value in found if number == 5),
    )


def _preconditions(message: bytes) -> Preconditions:
    known = dict(_fields(message))
    return Preconditions(
        uid=_bytes(known[1]).decode() if 1 in known else None,
        resource_version=_bytes(known[2]).decode() if 2 in known else None,
    )


def _fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each field, in order."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                value, at = _varint(message, at)
                yield key >> 3, value
            case 2:
                length, at = _varint(message, at)
                if at + length > len(message):
                    raise ValueError("cut short")
                yield key >> 3, message[at : at + length]
                at += length
            case other:
                raise ValueError(f"wire type {other}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        value |= (message[at] & 0x7F) << shift
        at += 1
        if message[at - 1] < 0x80:
            return value, at
    raise ValueError("a number without end")


def _signed(value: Value) -> int:
    number = value if isinstance(value, int) else 0
    return number - (1 << 64) if number >= 1 << 63 else number


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise bad_request("the body must be DeleteOptions: a number stands where text is due")
    return value
