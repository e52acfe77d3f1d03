"""A pause at any moment: nothing is lost, half written, or left running."""

import random
import re
import threading

import pytest
from tests.training.tiny import digests, train

from ludus.runs import (
    Run,
    list_checkpoints,
    lock_holder,
    read_status,
    send_command,
    verify_checkpoint,
)

REST = re.compile(r"\.tmp|\.part|^\.")


def rests(path):
    """Files that a write which was cut short would have left."""
    return [one for one in path.rglob("*") if REST.search(one.name)]


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_pause_during_self_play_is_orderly(tmp_path, by_hand):
    path, phases = tmp_path / "run", []

    def act(loop, unit):
        if unit == 2:
            phases.append(loop._session.phase)
            if by_hand:
                (path / "control.signal").write_text("  pause \n")
            else:
                send_command(path, "pause")

    ending = train(path, "run.checkpoint_every=1", act=act)
    assert phases == ["selfplay"]
    assert (ending.state, ending.code) == ("paused", 3)
    assert f"ludus train yatzy --run {path}" in ending.text
    assert f"ludus resume --run {path}" in ending.text
    assert read_status(path)["state"] == "paused"
    assert not rests(path)
    assert list_checkpoints(path) == []
    assert not (path / "control.signal").exists()
    assert list((path / "control").iterdir()) == []
    assert lock_holder(path) is None


def test_paused_again_and_again_nothing_is_lost(tmp_path):
    whole, path, rng = tmp_path / "whole", tmp_path / "run", random.Random(3)
    train(whole, "evaluation.every=0", iterations=2)
    before, pauses, phases = {}, 0, set()
    while True:
        at = rng.randint(2, 9) if pauses >= 3 else 2  # a fast machine has few units

        def act(loop, unit, at=at):
            if unit == at:
                (path / "control.signal").write_text("PAUSE\n")

        ending = train(path, "evaluation.every=0", act=act, iterations=2)
        run = Run.open(path, write=False)
        now = dict(run.manifest.counters)
        assert all(now[name] >= count for name, count in before.items())
        before = now
        phases.add(run.manifest.progress["phase"])
        if ending.state == "done":
            break
        pauses += 1
        assert ending.state == "paused"
    assert pauses >= 3
    assert len(phases) >= 2
    assert digests(path) == digests(whole)


@pytest.mark.parametrize("how", ["pause", "end", "error"])
def test_lanes_end_with_the_training_however_it_ends(tmp_path, how):
    before, seen = set(threading.enumerate()), []

    def act(loop, unit):
        seen.extend(set(threading.enumerate()) - before)
        if unit == 4:
            if how == "pause":
                send_command(tmp_path / "run", "pause")
            elif how == "error":
                raise KeyboardInterrupt

    try:
        train(tmp_path / "run", "runtime.lanes=2", "evaluation.every=0", act=act, iterations=1)
    except KeyboardInterrupt:
        assert how == "error"
    for thread in seen:
        thread.join(timeout=5)
    assert not [thread for thread in seen if thread.is_alive()]


def test_the_files_of_a_run_with_milestones(tmp_path):
    path, notes = tmp_path / "run", []
    settings = ("run.checkpoint_every=1", "run.retention=milestones", "run.milestone_every=2",
                "run.milestone_cache=1", "run.total_iterations=5", "evaluation.every=0",
                "gating.h0=0.9", "gating.h1=0.99")  # fmt: skip
    assert train(path, *settings, notes=notes).state == "done"
    folders = {
        where: sorted(one.name for one in (path / "checkpoints" / where).iterdir())
        for where in ("permanent", "cache")
    }
    assert [re.search(r"iter(\d+)", name)[1] for name in folders["permanent"]] == ["002", "004"]
    assert [re.search(r"iter(\d+)", name)[1] for name in folders["cache"]] == ["005"]
    for entry in list_checkpoints(path):
        assert verify_checkpoint(path / entry.path)
    assert f"checkpoint checkpoints/cache/{folders['cache'][0]} (cache, iteration 5 of 5)" in notes
    assert (path / "status.json").is_file()
    assert not (path / "control.signal").exists()
    assert not rests(path)
