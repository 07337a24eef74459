from typing import Any

import pytest

from schemas.defaults.jobs import identity
from tests.unit.schemas.build import job
from tests.unit.schemas.validation.found import faults, only_fault

UID = "00000000-0000-4000-8000-000000000000"


def indexed(**spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return job(**{"completionMode": "Indexed", "completions": 5, **spec})


def failing(*rules: dict[str, Any], **spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return job(podFailurePolicy={"rules": [{"action": "FailJob", **rule} for rule in rules]}, **spec)


def exiting(**requirement: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"onExitCodes": {"operator": "In", "values": [1], **requirement}}


def succeeding(**rule: Any) -> dict[str, Any]:  # noqa: ANN401
    return indexed(successPolicy={"rules": [rule]})


def stored(written: dict[str, Any]) -> dict[str, Any]:
    """The Job as the store has it: with a uid, and so with its selector and labels."""
    return {**written, "metadata": {**written["metadata"], "uid": UID}}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(job(), id="a job"),
        pytest.param(stored(job()), id="a job with its own selector"),
        pytest.param(job(parallelism=3), id="a queue"),
        pytest.param(job(suspend=True, ttlSecondsAfterFinished=0, managedBy="example.com/a"), id="managed elsewhere"),
        pytest.param(indexed(backoffLimitPerIndex=1, maxFailedIndexes=5), id="a limit per index"),
        pytest.param(failing(exiting(values=[1, 2, 255])), id="exit codes"),
        pytest.param(failing({"onPodConditions": [{"type": "DisruptionTarget"}]}), id="a pod condition"),
        pytest.param(succeeding(succeededIndexes="0,2-4", succeededCount=4), id="some indexes"),
        pytest.param(job(selector={"matchLabels": {"job-name": "a"}}), id="picked by the name it will have"),
        pytest.param(
            job(
                manualSelector=True,
                selector={"matchLabels": {"a": "b"}},
                template={**job()["spec"]["template"], "metadata": {"labels": {"a": "b"}}},
            ),
            id="a selector of one's own",
        ),
    ],
)
def test_a_sound_job_has_no_faults(written: dict[str, Any]) -> None:
    assert faults(written) == []


RULE = "spec.podFailurePolicy.rules[0]"
SUCCESS = "spec.successPolicy.rules[0]"


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        pytest.param(
            indexed(completions=None, parallelism=2),
            "spec.completions: Required value: when completion mode is Indexed",
            id="how many indexes",
        ),
        pytest.param(
            indexed(parallelism=100_001),
            "spec.parallelism: Invalid value: 100001: "
            "must be less than or equal to 100000 when completion mode is Indexed",
            id="too many at once",
        ),
        pytest.param(
            indexed(completions=200_000, backoffLimitPerIndex=1),
            "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000",
            id="many indexes need a limit",
        ),
        pytest.param(
            indexed(completions=200_000, backoffLimitPerIndex=1, maxFailedIndexes=20_000),
            "spec.maxFailedIndexes: Invalid value: 20000: must be less than or equal to 10000 "
            "when completions are above 100000 and used with backoff limit per index",
            id="a low one",
        ),
        pytest.param(
            indexed(maxFailedIndexes=1),
            "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
            id="failed indexes without a limit per index",
        ),
        pytest.param(
            indexed(backoffLimitPerIndex=0, maxFailedIndexes=6),
            "spec.maxFailedIndexes: Invalid value: 6: must be less than or equal to completions",
            id="more failed than there are",
        ),
        pytest.param(
            job(backoffLimitPerIndex=1),
            "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
            id="no indexes",
        ),
        pytest.param(
            job(managedBy="example.com/a b"),
            'spec.managedBy: Invalid value: "example.com/a b": Invalid path '
            "(e.g. '/path', regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')",
            id="manager",
        ),
        pytest.param(
            job(managedBy="example.com/" + "a" * 60),
            "spec.managedBy: Too long: may not be more than 63 bytes",
            id="a long manager",
        ),
        pytest.param(
            failing(exiting(), podReplacementPolicy="TerminatingOrFailed"),
            'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"',
            id="replaced too early",
        ),
        pytest.param(
            failing({"action": "Odd", **exiting()}),
            f'{RULE}.action: Unsupported value: "Odd": supported values: "Count", "FailIndex", "FailJob", "Ignore"',
            id="action",
        ),
        pytest.param(
            failing({"action": "", **exiting()}),
            f'{RULE}.action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]',
            id="no action",
        ),
        pytest.param(
            failing({"action": "FailIndex", **exiting()}),
            f'{RULE}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
            id="an index of what has none",
        ),
        pytest.param(
            failing({**exiting(), "onPodConditions": [{"type": "A"}]}),
            f"{RULE}: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported",
            id="both",
        ),
        pytest.param(
            failing(exiting(operator="Odd")),
            f'{RULE}.onExitCodes.operator: Unsupported value: "Odd": supported values: "In", "NotIn"',
            id="operator",
        ),
        pytest.param(
            failing(exiting(values=[0])),
            f"{RULE}.onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator",
            id="success is no failure",
        ),
        pytest.param(
            failing(exiting(values=[2, 1])),
            f"{RULE}.onExitCodes.values: Invalid value: [2,1]: must be ordered",
            id="order",
        ),
        pytest.param(
            failing(exiting(values=[1, 1])), f"{RULE}.onExitCodes.values[1]: Duplicate value: 1", id="the same code"
        ),
        pytest.param(
            failing(exiting(values=[])),
            f"{RULE}.onExitCodes.values: Invalid value: []: at least one value is required",
            id="no code",
        ),
        pytest.param(
            failing(exiting(values=list(range(1, 300)))),
            f"{RULE}.onExitCodes.values: Too many: 299: must have at most 255 items",
            id="too many codes",
        ),
        pytest.param(
            failing(exiting(containerName="other")),
            f'{RULE}.onExitCodes.containerName: Invalid value: "other": '
            "must be one of the container or initContainer names in the pod template",
            id="container",
        ),
        pytest.param(
            failing(*[exiting()] * 21),
            "spec.podFailurePolicy.rules: Too many: 21: must have at most 20 items",
            id="too many rules",
        ),
        pytest.param(
            failing({"onPodConditions": [{"type": "A", "status": "Maybe"}]}),
            f'{RULE}.onPodConditions[0].status: Unsupported value: "Maybe": '
            'supported values: "False", "True", "Unknown"',
            id="status of a condition",
        ),
        pytest.param(
            indexed(successPolicy={"rules": []}),
            "spec.successPolicy.rules: Required value: "
            "at least one rules must be specified when the successPolicy is specified",
            id="no rule of success",
        ),
        pytest.param(
            succeeding(),
            f"{SUCCESS}: Required value: at least one of succeededCount or succeededIndexes must be specified",
            id="an empty rule of success",
        ),
        pytest.param(
            succeeding(succeededIndexes="5"),
            f'{SUCCESS}.succeededIndexes: Invalid value: "5": error parsing succeededIndexes: too large index: "5"',
            id="an index too far",
        ),
        pytest.param(
            succeeding(succeededIndexes="1-2-3"),
            f'{SUCCESS}.succeededIndexes: Invalid value: "1-2-3": error parsing succeededIndexes: the fragment "1-2-3" '
            "violates the requirement that an index interval can have at most two parts separated by '-'",
            id="an interval of three",
        ),
        pytest.param(
            succeeding(succeededIndexes="a"),
            f'{SUCCESS}.succeededIndexes: Invalid value: "a": '
            'error parsing succeededIndexes: cannot convert string to integer for index: "a"',
            id="no index",
        ),
        pytest.param(
            succeeding(succeededIndexes="3,1"),
            f'{SUCCESS}.succeededIndexes: Invalid value: "3,1": '
            "error parsing succeededIndexes: non-increasing order, previous: 3, current: 1",
            id="indexes in order",
        ),
        pytest.param(
            succeeding(succeededCount=6),
            f"{SUCCESS}.succeededCount: Invalid value: 6: "
            "must be less than or equal to 5 (the number of specified completions)",
            id="more than all",
        ),
        pytest.param(
            succeeding(succeededIndexes="1,3-4", succeededCount=4),
            f"{SUCCESS}.succeededCount: Invalid value: 4: "
            "must be less than or equal to 3 (the number of indexes in the specified succeededIndexes field)",
            id="more than the indexes",
        ),
        pytest.param(
            job(manualSelector=True), "spec.selector: Required value", id="a manual selector that is not there"
        ),
        pytest.param(
            {**indexed(), "metadata": {"name": "a" * 62}},
            f'metadata.name: Invalid value: "{"a" * 62}": '
            f"will not able to create pod with invalid DNS label: {'a' * 62}-4",
            id="host names of indexes",
        ),
    ],
)
def test_a_broken_rule_of_jobs_is_told_in_the_words_of_kubernetes(written: dict[str, Any], complaint: str) -> None:
    assert only_fault(written) == complaint


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        pytest.param("Always", 'Required value: valid values: "OnFailure", "Never"', id="always"),
        pytest.param("", 'Required value: valid values: "OnFailure", "Never"', id="unsaid"),
        pytest.param("Odd", 'Unsupported value: "Odd": supported values: "OnFailure", "Never"', id="odd"),
    ],
)
def test_pods_of_a_job_come_to_an_end(policy: str, words: str) -> None:
    written = job()
    written["spec"]["template"]["spec"]["restartPolicy"] = policy
    assert only_fault(written) == f"spec.template.spec.restartPolicy: {words}"


def test_a_failure_policy_has_to_see_each_failure() -> None:
    written = failing(exiting())
    written["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    assert only_fault(written).endswith('only "Never" is supported when podFailurePolicy is specified')


def labelled(**labels: str) -> dict[str, Any]:
    return job(template={**job()["spec"]["template"], "metadata": {"labels": labels}})


def test_a_job_makes_its_own_labels() -> None:
    assert "must be 'a'" in only_fault(labelled(**{"job-name": "other"}))
    assert "must not be set" in only_fault(labelled(**{"controller-uid": UID}))
    assert f"must be '{UID}'" in faults(stored(labelled(**{"controller-uid": "other"})))[0]
    assert faults(stored(labelled(**identity("a", UID)))) == []


def test_a_name_that_cannot_be_a_label_is_none_for_a_job() -> None:
    written = {**job(), "metadata": {"name": "a" * 64}}
    assert only_fault(written) == (
        f'spec.template.metadata.labels: Invalid value: "{"a" * 64}": must be no more than 63 bytes'
    )
