"""Retry with backoff: what is tried again, when, and what is said about it."""

import re

import pytest

from ludus.monitor.exporters.retry import with_retry


class Flaky:
    """Fails as it is told to, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "sent"


def test_the_second_and_third_attempt_wait_one_and_two_seconds() -> None:
    slept: list[float] = []
    told: list[str] = []
    action = Flaky(ConnectionError("no route"), TimeoutError("slow"))
    assert with_retry(action, "model.ckpt", sleep=slept.append, tell=told.append) == "sent"
    assert slept == [1.0, 2.0]
    assert told == [
        "attempt 1 of 3 with model.ckpt failed: ConnectionError: no route; trying again in 1.0 s",
        "attempt 2 of 3 with model.ckpt failed: TimeoutError: slow; trying again in 2.0 s",
    ]


def test_the_last_error_is_raised_again() -> None:
    slept: list[float] = []
    told: list[str] = []
    action = Flaky(RuntimeError("a"), RuntimeError("b"), RuntimeError("c"))
    with pytest.raises(RuntimeError, match=re.escape("c")):
        with_retry(action, "model.ckpt", sleep=slept.append, tell=told.append)
    assert (action.calls, slept) == (3, [1.0, 2.0])
    assert told[-1] == "attempt 3 of 3 with model.ckpt failed: RuntimeError: c; giving up"


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), FileNotFoundError("x")])
def test_other_errors_are_raised_at_once(error: Exception) -> None:
    slept: list[float] = []
    action = Flaky(error)
    with pytest.raises(type(error)):
        with_retry(action, "model.ckpt", sleep=slept.append)
    assert (action.calls, slept) == (1, [])


def test_factor_and_attempts_are_parameters() -> None:
    slept: list[float] = []
    action = Flaky(*(ConnectionError() for _ in range(4)))
    with_retry(action, "x", attempts=5, factor=3.0, sleep=slept.append, tell=lambda text: None)
    assert slept == [1.0, 3.0, 9.0, 27.0]


def test_without_a_listener_attempts_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with_retry(Flaky(TimeoutError("slow")), "model.ckpt", sleep=lambda seconds: None)
    assert "attempt 1 of 3 with model.ckpt failed" in caplog.text
