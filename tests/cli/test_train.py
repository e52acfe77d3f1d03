"""``ludus train --check`` and ``--init-from``, as they are typed."""

import pytest
from tests.training.tiny import SETTINGS, train

from ludus.cli import main as cli


def ludus(capsys, *arguments):
    code = cli.main(list(map(str, arguments)))
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("train") / "run"
    train(path, "gating.enabled=false", "evaluation.every=0", iterations=1)
    return path


def tiny(path, *more):
    return ["train", "yatzy", "--run", path, *(w for s in SETTINGS for w in ("--set", s)), *more]


def test_a_check_starts_nothing(capsys, tmp_path):
    code, out, err = ludus(capsys, *tiny(tmp_path / "new", "--check"))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["check", "level", "found"]
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["settings", "good"],
        ["lock", "good"],
        ["directory", "good"],
        ["game", "good"],
    ]
    assert "at most" in out and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--set", "search.budget=-5"), "search.budget = -5"),
        (("--set", "search.bugdet=5"), "search.bugdet"),
        (("--preset", "quikc"), "no preset 'quikc'"),
        (("--config", "nowhere.yaml"), "nowhere.yaml"),
        (("--init-from", "nowhere"), "--init-from nowhere is neither a checkpoint nor a run"),
        (("--set", "run.floor_free_mb=100000000000"), "the run would wait until there are"),
        (("--set", "evaluation.opponents=[nobody]"), "nobody"),
    ],
)
def test_a_check_that_finds_something(capsys, tmp_path, more, words):
    code, out, err = ludus(capsys, *tiny(tmp_path / "new", "--check", *more))
    assert (code, err) == (2, "")
    (bad,) = [line for line in out.splitlines() if line.split()[1] == "bad"]
    assert words in bad
    assert list(tmp_path.iterdir()) == []


def test_a_check_of_a_run(capsys, made):
    code, out, _ = ludus(capsys, "train", "--run", made, "--check")
    assert code == 0 and "numbers" in out
    code, out, _ = ludus(capsys, "train", "--run", made, "--check", "--iterations", "1")
    assert code == 2 and "nothing to do" in out
    code, out, _ = ludus(capsys, "train", "--run", made, "--check", "--set", "run.seed=9")
    assert code == 2 and "run.seed (1 in the run, 9 asked)" in out


def test_a_check_of_first_weights(capsys, made, tmp_path):
    code, out, _ = ludus(capsys, *tiny(tmp_path / "new", "--check", "--init-from", made))
    assert code == 0 and f"those of the champion of {made}" in out
    wide = ("--check", "--init-from", made, "--set", "model.hidden_dim=64")
    code, out, _ = ludus(capsys, *tiny(tmp_path / "new", *wide))
    assert code == 2 and "give the new run the same model.* settings" in out
    assert list(tmp_path.iterdir()) == []


def test_bad_sources_are_one_sentence(capsys, made, tmp_path):
    broken = tmp_path / "broken.ckpt"
    broken.write_bytes(b"\x00" * 4096)
    for source, words in (
        (tmp_path / "gone", "is neither a checkpoint nor a run"),
        (broken, "broken.ckpt"),
    ):
        code, out, err = ludus(capsys, *tiny(tmp_path / "new", "--init-from", source))
        assert (code, out) == (2, "")
        assert words in err and "Traceback" not in err and len(err.splitlines()) == 1
    code, _, err = ludus(capsys, "train", "--run", made, "--init-from", tmp_path / "gone")
    assert code == 2 and "began from its seed, not from" in err
    assert {path.name for path in tmp_path.iterdir()} == {"broken.ckpt"}


@pytest.mark.slow
def test_a_shape_that_does_not_fit_leaves_nothing_behind(capsys, made, tmp_path):
    """Only the trainer process can tell: it loads the weights into the network."""
    wide = ("--init-from", made, "--iterations", "1", "--set", "model.hidden_dim=64")
    code, _, err = ludus(capsys, *tiny(tmp_path / "new", *wide))
    assert code == 2 and "give the new run the same model.* settings" in err
    assert "Traceback" not in err and list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_from_another_by_the_command(capsys, made, tmp_path):
    code, _, _ = ludus(capsys, *tiny(tmp_path / "new", "--init-from", made, "--iterations", "1"))
    assert code == 0
    code, out, _ = ludus(capsys, "status", tmp_path / "new")
    assert code == 0 and "forecast" in out and "of disk" in out
