from pathlib import Path

import pytest

import nodeagent.runtime.proto as proto

HERE = Path(proto.__file__).parent


def test_the_messages_are_those_of_the_proto_files(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools")
    from nodeagent.runtime.proto.__main__ import generate

    generate(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.rglob("*.py*")}
    kept = {path.name: path.read_bytes() for path in HERE.glob("*_*.py*") if not path.name.startswith("__")}
    assert sorted(made) == sorted(kept)
    changed = [name for name in made if _body(made[name]) != _body(kept[name])]
    assert changed == [], "run `python -m nodeagent.runtime.proto`"


def _body(content: bytes) -> bytes:
    """Without the generator's own version, which is no change of the messages."""
    head, mark, rest = content.partition(b"_runtime_version.Domain.PUBLIC")
    return (b"" if mark else head) + rest.partition(b")")[2] if mark else content
