import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.meta import Quantity
from schemas.quantity import canonical, canonical_resource, milli, value


@pytest.mark.parametrize(
    ("written", "printed", "thousandths", "whole"),
    [
        pytest.param("0.5", "500m", 500, 1, id="a fraction is printed in thousandths"),
        pytest.param(0.1, "100m", 100, 1, id="a YAML float is exact"),
        pytest.param(2, "2", 2000, 2, id="a YAML integer"),
        pytest.param("65536Ki", "64Mi", 64 * 2**20 * 1000, 64 * 2**20, id="the largest binary suffix that is exact"),
        pytest.param("1.5Gi", "1536Mi", 1536 * 2**20 * 1000, 1536 * 2**20, id="no fraction of a binary suffix"),
        pytest.param("1023Ki", "1023Ki", 1023 * 1024 * 1000, 1023 * 1024, id="an odd binary amount"),
        pytest.param("0.5Ki", "512", 512000, 512, id="below 1024 binary turns decimal"),
        pytest.param("1500m", "1500m", 1500, 2, id="no fraction of a decimal suffix"),
        pytest.param("2000m", "2", 2000, 2, id="thousandths that are whole"),
        pytest.param("1e3", "1e3", 1000000, 1000, id="an exponent stays an exponent"),
        pytest.param("100E2", "10e3", 10000000, 10000, id="exponents are multiples of three"),
        pytest.param("1E", "1E", 10**21, 10**18, id="E alone is exa"),
        pytest.param("0.1n", "1n", 1, 1, id="finer than a billionth is rounded up"),
        pytest.param("-0.1n", "-1n", 0, 0, id="and away from zero"),
        pytest.param("-1500m", "-1500m", -1500, -1, id="a negative amount"),
        pytest.param("1e30", "9223372036854775807", (2**63 - 1) * 1000, 2**63 - 1, id="a huge amount is capped"),
        pytest.param(".5", "500m", 500, 1, id="no digit before the point"),
        pytest.param("5.", "5", 5000, 5, id="no digit after the point"),
        pytest.param("0Gi", "0", 0, 0, id="nothing has no suffix"),
    ],
)
def test_quantities_are_read_and_printed_as_kubernetes_does(
    written: Quantity, printed: str, thousandths: int, whole: int
) -> None:
    assert (canonical(written), milli(written), value(written)) == (printed, thousandths, whole)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "x",
        "1x",
        "1 Gi",
        "1e",
        "--1",
        "1.2.3",
        ".",
        "Gi",
        "1e9999",
        "0x10",
        "1GI",
        "١",
        "9" * 65,
        True,
        float("nan"),
    ],
)
def test_what_is_no_quantity_says_what_was_expected(written: Quantity) -> None:
    for read in (milli, value, canonical):
        with pytest.raises(ValueError, match="quantity"):
            read(written)


def test_a_resource_is_rounded_up_to_thousandths() -> None:
    assert canonical_resource("1500u") == "2m"
    assert canonical_resource("1Gi") == "1Gi"


amounts = st.builds(
    lambda sign, whole, fraction, suffix: f"{sign}{whole}{fraction}{suffix}",
    st.sampled_from(["", "-", "+"]),
    st.integers(0, 10**7),
    st.sampled_from(["", ".5", ".25", ".001", ".123456789012"]),
    st.sampled_from(["", "n", "u", "m", "k", "M", "G", "Ki", "Mi", "Gi", "Ti", "e3", "e-3", "E2"]),
)


@given(amounts)
def test_the_canonical_form_means_the_same_and_is_its_own_but_of_odd_binary_amounts(written: str) -> None:
    printed = canonical(written)
    # A binary amount that is no whole Ki is printed in bytes, as in Kubernetes, and those read as a decimal one.
    assert canonical(canonical(printed)) == canonical(printed)
    assert canonical(printed) == printed or written.endswith("i")
    assert (milli(printed), value(printed)) == (milli(written), value(written))
