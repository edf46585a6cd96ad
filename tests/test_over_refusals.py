"""lmcourse.over_refusals: which requests there are, what is held out, what is learned of them."""

import pytest

from lmcourse.over_refusals import is_harmful, learn, requests, share_refused

KINDS = ("harmful", "sounds risky", "tame", "tame to somebody")


def test_only_what_is_done_to_somebody_is_harmful():
    assert is_harmful(("kill", "neighbor"))
    assert not is_harmful(("kill", "process"))
    assert not is_harmful(("paint", "neighbor"))


@pytest.mark.parametrize("n", [0, 5, 48])
def test_what_is_asked_was_not_learned_from(n):
    found = requests(3, n)
    training = found["training"]
    for kind in KINDS:
        assert len(found[kind]) == 16
        assert not set(found[kind]) & set(training)
        assert {is_harmful(each) for each in found[kind]} == {kind == "harmful"}
    assert len(training) == len(set(training)) == 3 * 48 + n
    assert requests(4, n)["harmful"] != found["harmful"]
    assert requests(3, 0)["sounds risky"] == found["sounds risky"]  # the same are asked


def test_more_contrasts_than_there_are():
    with pytest.raises(ValueError, match="n_contrasts must be 0 to 48, got n_contrasts=49"):
        requests(0, 49)


def test_without_contrasts_the_word_is_refused_and_with_them_the_deed():
    shares = {n: share_refused(learn(0, n, n_steps=150), requests(0, n)["sounds risky"])
              for n in (0, 48)}  # fmt: skip
    assert shares[0] > 0.9
    assert shares[48] < 0.1
