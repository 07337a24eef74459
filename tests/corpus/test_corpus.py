"""Manifests that other people wrote, against the official schemas; `make corpus` prints the counts of the same."""

import os
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from reconciler.manifests.parse import parse
from schemas.jsonschema import combined_schema
from tests.corpus.agreement import Outcome, judge
from tests.corpus.counting import Tally, files, injections, tally
from tests.corpus.injection import KINDS


@pytest.fixture(scope="module")
def corpus() -> Path:
    root = Path(os.environ.get("WHERRY_SHARED") or Path(__file__).parents[3] / "shared") / "corpus"
    if not root.is_dir():
        pytest.skip(f"no corpus at {root}; set WHERRY_SHARED to the folder that holds corpus/")
    return root


@pytest.fixture(scope="module")
def counted(corpus: Path) -> Tally:
    total = Tally()
    for file, content in files(corpus):
        total.add(tally(file, content))
    return total


def test_every_document_of_a_served_kind_is_accepted_or_refused_as_the_official_schemas_do(counted: Tally) -> None:
    assert counted.differing == []
    assert counted.counts[Outcome.ACCEPTED] > 700


def test_no_field_is_lost_on_the_way_there_and_back(counted: Tally) -> None:
    assert counted.lost == []


def test_what_only_we_refuse_is_what_kubernetes_refuses_while_decoding(counted: Tally) -> None:
    """The three Secrets hold words in place of base64."""
    assert all("not base64" in line for line in counted.beyond), counted.beyond


def test_faults_put_into_real_documents_are_reported_at_their_line(corpus: Path) -> None:
    """One kind of fault a file, in turns: all kinds in all files take a minute, in `make corpus`."""
    found = [
        one
        for number, (file, content) in enumerate(files(corpus))
        for one in injections(file, content, only=KINDS[number % len(KINDS)])
    ]
    missed = [
        f"{one.where}: {one.injected.kind} {one.injected.name}: {one.said}" for one in found if not one.is_reported
    ]
    assert len(found) > 400
    assert len(missed) <= 0.01 * len(found), missed


def test_what_is_accepted_satisfies_the_one_schema_for_editors(corpus: Path) -> None:
    validator = jsonschema.Draft202012Validator(combined_schema())
    refused = [
        f"{where}: {error.json_path}: {error.message}"
        for where, document in _accepted(corpus)
        for error in validator.iter_errors(document)
    ]
    assert refused == []


def _accepted(corpus: Path) -> Iterator[tuple[str, object]]:
    for file, content in files(corpus):
        for document in parse(content, json_only=file.endswith(".json")).documents:
            if isinstance(document.data, dict) and judge(document.data).outcome == Outcome.ACCEPTED:
                yield f"{file}:{document.line}", document.data
