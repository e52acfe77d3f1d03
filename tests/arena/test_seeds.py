"""Seed sets: order, hash, storage."""

import hashlib
import json

import numpy as np
import pytest

from ludus.arena.seeds import SeedSet, seeds_hash
from ludus.errors import CorruptError, UserError, VersionError


def test_hash_is_over_the_exact_ordered_list():
    seeds = [1, 2**64 - 1, 7]
    data = b"".join(seed.to_bytes(8, "little") for seed in seeds)
    assert seeds_hash(np.array(seeds, dtype=np.uint64)) == hashlib.sha256(data).hexdigest()
    assert seeds_hash(np.array([7, 1], np.uint64)) != seeds_hash(np.array([1, 7], np.uint64))


def test_generated_sets_follow_from_the_seed():
    one, again = SeedSet.generate(5, 100), SeedSet.generate(5, 100)
    assert one.hash == again.hash
    assert len(set(one.seeds.tolist())) == 100
    assert (SeedSet.generate(5, 300).seeds[:100] == one.seeds).all()
    assert not set(SeedSet.generate(6, 100).seeds.tolist()) & set(one.seeds.tolist())
    other = SeedSet.generate(5, 100, purpose="solitaire")
    assert not set(other.seeds.tolist()) & set(one.seeds.tolist())


def test_first():
    seeds = SeedSet.generate(1, 10)
    assert seeds.first(10) is seeds
    assert seeds.first(4).hash == SeedSet.generate(1, 4).hash
    for count in (0, 11):
        with pytest.raises(UserError, match="10 seeds"):
            seeds.first(count)


def test_bad_requests():
    with pytest.raises(UserError, match="at least 1 seed"):
        SeedSet.generate(1, 0)
    with pytest.raises(UserError, match="2\\^64"):
        SeedSet.generate(-1, 5)


def test_stored_set_comes_back(tmp_path):
    path = tmp_path / "sets" / "dev.json"
    seeds = SeedSet("dev", SeedSet.generate(9, 50).seeds)
    seeds.write(path)
    again = SeedSet.read(path)
    assert again.id == "dev"
    assert again.hash == seeds.hash
    assert (again.seeds == seeds.seeds).all()
    seeds.write(path)  # the same list: nothing to do
    with pytest.raises(UserError, match="other seeds"):
        SeedSet.generate(8, 50).write(path)


def test_damage_is_noticed(tmp_path):
    path = tmp_path / "dev.json"
    SeedSet.generate(9, 5).write(path)
    good = json.loads(path.read_text())
    swapped = {**good, "seeds": [good["seeds"][1], good["seeds"][0], *good["seeds"][2:]]}
    path.write_text(json.dumps(swapped))
    with pytest.raises(CorruptError, match="does not hold the seeds"):
        SeedSet.read(path)
    path.write_text(json.dumps({**good, "seeds": ["zz"]}))
    with pytest.raises(CorruptError):
        SeedSet.read(path)
    path.write_text(json.dumps({**good, "schema": "other_v9"}))
    with pytest.raises(VersionError, match="other_v9"):
        SeedSet.read(path)
    path.write_text("[")
    with pytest.raises(CorruptError):
        SeedSet.read(path)
    with pytest.raises(UserError, match="no seed set"):
        SeedSet.read(tmp_path / "missing.json")
