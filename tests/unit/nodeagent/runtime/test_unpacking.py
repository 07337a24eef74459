"""How containerd names the snapshots of an image's layers."""

import hashlib

from nodeagent.runtime.unpacking import chain


def test_a_snapshot_is_named_by_its_layer_and_all_below_it() -> None:
    one, two, three = (f"sha256:{number:064x}" for number in (1, 2, 3))
    second = f"sha256:{hashlib.sha256(f'{one} {two}'.encode()).hexdigest()}"
    third = f"sha256:{hashlib.sha256(f'{second} {three}'.encode()).hexdigest()}"
    assert chain([one, two, three]) == [one, second, third]
    assert chain([]) == []
