"""What docs/manifests.md says of what is read is what is read."""

import re
from pathlib import Path

from reconciler.manifests import helm, inputs, parse, projects, rendering, walk
from reconciler.manifests.helm import Release, read_release
from reconciler.manifests.units import MARKERS

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "docs" / "manifests.md").read_text().partition("## What is read\n")[2].partition("\n## ")[0]
MIB = 1024 * 1024


def test_the_release_shown_is_one() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    release = read_release("prod/wherry.helm.yaml", block.encode())
    assert release == Release("charts/shop", "shop-prod", "shop", ("prod/prod.yaml",), b'{"replicas":3}')


def test_every_main_file_is_named() -> None:
    named = {name for name in MARKERS if "override" not in name}
    assert named == {name for name in named if f"`{name}`" in SECTION}


def test_the_bounds_are_those_of_the_programs() -> None:
    words = " ".join(SECTION.split())
    for bound in (
        f"a file | {parse.MAX_BYTES // MIB} MiB",
        f"in a document | {parse.DEEPEST} |",
        f"stand for | {parse.MOST_ALIASED:,} |",
        f"{walk.MAX_FILES:,} files, {walk.MAX_TOTAL_BYTES // MIB} MiB",
        f"{inputs.MOST_FILES:,} files, {inputs.MOST_BYTES // MIB} MiB",
        f"{rendering.MOST_MEMORY // MIB // 1024} GiB of address space, {rendering.SECONDS:.0f} seconds",
        f"({projects.PASS_SECONDS:.0f} for all of one pass) and {parse.MAX_BYTES // MIB} MiB of output",
        f"Kubernetes {helm.KUBERNETES}",
    ):
        assert bound in words, bound
