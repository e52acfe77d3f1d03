"""The published endgames, and what is said of an answer that is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ludus.games.othello_problems import Problem, problems, solve


def test_the_easier_problems_are_solved():
    solved = list(solve(problems()))
    assert [one.problem.number for one in solved] == list(range(1, 20))
    assert [one.problem.empty for one in solved] == [14] * 7 + [15] * 5 + [16] * 7
    assert all(one.right for one in solved)


@pytest.mark.slow
def test_all_problems_are_solved():
    solved = list(solve(problems(64), threads=2))
    assert len(solved) == 24 and all(one.right for one in solved)


def test_tables_change_the_time_only(tables):
    (plain, ordered) = (list(solve(problems(14), by)) for by in (None, tables))
    assert all(one.right for one in ordered)
    assert [one.score for one in plain] == [one.score for one in ordered]


def test_a_wrong_answer_is_seen():
    (first, *_) = solve(problems(14)[:1])
    problem = first.problem
    assert first.right
    assert not replace(first, problem=replace(problem, score=problem.score + 2)).right
    assert not replace(first, problem=replace(problem, best=())).right
    assert not replace(first, analysis=replace(first.analysis, exact=False)).right
    assert isinstance(problem, Problem) and problem.score == 18
