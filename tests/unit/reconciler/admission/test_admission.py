from reconciler.admission import AdmissionSettings, admission
from reconciler.store.cache import Cache
from schemas.core.affinity import Toleration
from schemas.core.pod import Pod
from tests.unit.reconciler.controllers.builders import pod

NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"


def _admitted(*tolerations: Toleration) -> tuple[Toleration, ...]:
    admitted = admission(AdmissionSettings())(pod("p", tolerations=tolerations), Cache())
    assert isinstance(admitted, Pod)
    assert admitted.spec.restart_policy == "Always", "defaults are filled in"
    return admitted.spec.tolerations


def test_a_pod_tolerates_a_node_that_is_away_for_half_a_minute() -> None:
    assert _admitted() == (
        Toleration("NoExecute", NOT_READY, "Exists", 30),
        Toleration("NoExecute", UNREACHABLE, "Exists", 30),
    )


def test_tolerations_of_its_own_stay() -> None:
    own = Toleration("NoExecute", UNREACHABLE, "Exists", 5)
    assert _admitted(own) == (own, Toleration("NoExecute", NOT_READY, "Exists", 30))


def test_a_pod_that_tolerates_everything_is_left_alone() -> None:
    everything = Toleration(operator="Exists")
    assert _admitted(everything) == (everything,)


def test_admission_twice_is_admission_once() -> None:
    admit = admission(AdmissionSettings())
    once = admit(pod("p"), Cache())
    assert admit(once, Cache()) == once
