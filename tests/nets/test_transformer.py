"""The token transformer: by hand, what absent tokens do (nothing), its files, its training."""

import numpy as np
import pytest
import torch
from tests.nets.boards import CARDS, DUEL, HANDS, TOKENS

from ludus import _core, nets
from ludus.errors import ConfigError, VersionError
from ludus.games.blob_tokens import LAYOUT
from ludus.games.tokens import TokenGroup, TokenLayout
from ludus.learners import AlphaZeroLearner, AlphaZeroSettings
from ludus.nets.transformer import TokenTransformer
from ludus.replay import TrainingRows

SHAPE = {
    "kind": "token_transformer",
    "hidden": 32,
    "width": 16,
    "heads": 2,
    "blocks": 2,
    "tokens": TOKENS,
}


def lively(game=CARDS, seed=1, loud=0.2, **changes):
    """A transformer in which no weight is 0, with answers as loud."""
    net = nets.build(game, **{**SHAPE, **changes}, seed=seed)
    random = np.random.default_rng(seed)
    nets.load_arrays(
        net,
        {
            name: array + random.normal(0, loud, array.shape).astype(np.float32)
            for name, array in nets.arrays_of(net).items()
        },
    )
    return net


def observations_of(count, seed=0, held=3, seats=3):
    """Rows with so many cards and seats, and what nobody should read beside them."""
    random = np.random.default_rng(seed)
    rows = np.zeros((count, CARDS.observation_size), np.float32)
    for row in rows:
        row[random.choice(12, held, replace=False)] = random.uniform(0.5, 1.5, held)
        row[12:24] = random.normal(size=12)
        row[24 : 24 + 2 * seats] = random.normal(size=2 * seats)
        row[32 + seats - 2] = 1.0
        row[35:] = random.normal(size=5)
    return rows


def fused(net, rows):
    with torch.inference_mode():
        return net.fused(torch.from_numpy(np.asarray(rows, np.float32))).numpy()


def by_hand(net, row):
    """One row in plain sums over the real tokens alone, in double precision."""
    w = {name: array.astype(np.float64) for name, array in nets.arrays_of(net).items()}
    x = row.astype(np.float64)

    def linear(value, name):
        return value @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)

    hidden = np.maximum(linear(x, "input"), 0)
    tokens, owners = [linear(hidden, "enter")], [None]
    cards = [c for c in range(12) if x[c] != 0][: TOKENS.groups[0].keep]
    for card in cards:
        features = np.array([x[card], x[12 + card]])
        tokens.append(w["groups.cards.places"][card] + linear(features, "groups.cards.features"))
        owners.append(("cards", card))
    for seat in range(int(np.argmax(x[32:35])) + 2):
        features = x[24 + 2 * seat : 26 + 2 * seat]
        tokens.append(w["groups.seats.places"][seat] + linear(features, "groups.seats.features"))
        owners.append(("seats", seat))
    tokens = np.array(tokens)
    heads, width = net.spec.heads, net.spec.width
    for i in range(net.spec.blocks):
        qkv = linear(tokens, f"blocks.{i}.qkv")
        seen = np.zeros_like(tokens)
        for head in range(heads):
            part = slice(head * width // heads, (head + 1) * width // heads)
            q, k, v = (qkv[:, j * width : (j + 1) * width][:, part] for j in range(3))
            for t, query in enumerate(q):
                share = np.exp(k @ query - (k @ query).max())
                seen[t, part] = share @ v / share.sum()
        tokens = tokens + linear(seen, f"blocks.{i}.mix")
        inner = np.maximum(linear(tokens, f"blocks.{i}.up"), 0)
        tokens = tokens + linear(inner, f"blocks.{i}.down")
    joined = np.maximum(linear(np.concatenate([hidden, tokens[0]]), "join"), 0)
    out = linear(hidden + joined, "output")
    for token, owner in zip(tokens, owners, strict=True):
        if owner is not None and owner[0] == "cards":
            out[owner[1]] += linear(token, "groups.cards.score")[0]
        elif owner is not None:
            value, margin = linear(token, "groups.seats.score")
            out[14 + owner[1]] += value
            out[14 + 4 + owner[1]] += margin
    return out


@pytest.mark.parametrize(("held", "seats"), [(3, 3), (0, 2), (5, 4), (12, 2)])
def test_outputs_are_those_of_the_real_tokens_by_hand(held, seats):
    net = lively()
    rows = observations_of(4, held=held, seats=seats)
    found = fused(net, rows)
    for row, one in zip(rows, found, strict=True):
        assert np.abs(one - by_hand(net, row)).max() < 2e-4
    assert np.abs(found).max() > 1.0


def test_what_absent_tokens_hold_changes_nothing():
    net = lively()
    with torch.no_grad():
        net.input.weight.zero_()  # only tokens see the observation
    rows = observations_of(64)
    before = fused(net, rows)
    absent = rows.copy()
    random = np.random.default_rng(3)
    gone = rows[:, :12] == 0
    shuffled = random.permuted(np.where(gone, rows[:, 12:24] * 7, 0), axis=1)
    absent[:, 12:24] = np.where(gone, shuffled, rows[:, 12:24])
    absent[:, 30:32] = random.normal(size=(64, 2))  # of the fourth seat
    assert np.array_equal(fused(net, absent), before)
    real = rows.copy()
    real[:, 12:24] = np.where(gone, rows[:, 12:24], rows[:, 12:24] + 1)
    assert (np.abs(fused(net, real) - before).max(1) > 1e-3).all()


def test_a_row_depends_neither_on_neighbours_nor_on_its_place():
    net = lively()
    rows = observations_of(192)
    order = np.random.default_rng(2).permutation(192)
    found = fused(net, rows)
    moved = rows[order]
    moved[::5] = 0.0  # as rows without a leaf
    kept = np.arange(192) % 5 != 0
    again = fused(net, moved)
    assert np.array_equal(again[kept], found[order][kept])
    assert np.isfinite(again).all()
    assert np.array_equal(fused(net, rows), found)


def test_rows_without_a_token_and_their_gradients_are_finite():
    net = lively()
    out = net.fused(torch.zeros(64, CARDS.observation_size))
    out.square().sum().backward()
    assert bool(torch.isfinite(out).all())
    assert all(bool(torch.isfinite(p.grad).all()) for p in net.parameters() if p.grad is not None)


def test_fresh_blocks_are_the_identity_and_the_first_answers_are_small():
    deep = nets.build(CARDS, **{**SHAPE, "blocks": 6}, seed=4)
    arrays = nets.arrays_of(deep)
    shallow = nets.build(CARDS, **{**SHAPE, "blocks": 0}, seed=9)
    nets.load_arrays(shallow, {n: a for n, a in arrays.items() if not n.startswith("blocks")})
    rows = observations_of(64)
    assert np.array_equal(fused(deep, rows), fused(shallow, rows))
    with torch.inference_mode():
        logits, value, _ = deep(torch.from_numpy(rows))
    assert float(logits.std()) < 0.4
    assert float(value.abs().max()) < 0.4


def test_parameter_count_by_hand():
    net = nets.build(CARDS, **SHAPE)
    block = (16 * 48 + 48) + (16 * 16 + 16) + (16 * 32 + 32) + (32 * 16 + 16)
    cards, seats = 12 * 16 + 2 * 16 + 16, 4 * 16 + 2 * 16 + 2 * 16
    trunk = (40 * 32 + 32) + (32 * 16 + 16) + (48 * 32 + 32) + (32 * 64 + 64)
    assert net.columns == 64
    assert net.parameter_count == trunk + cards + seats + 2 * block


def test_weights_follow_from_the_seed_and_leave_the_global_generator_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    ids = [nets.digest_of(nets.arrays_of(nets.build(CARDS, **SHAPE, seed=s))) for s in (7, 7, 8)]
    assert bool((torch.get_rng_state() == before).all())
    assert ids[0] == ids[1] != ids[2]


def test_a_file_gives_the_same_network_back_without_the_games_module():
    net = lively()
    arrays, meta = nets.decode(nets.encode(nets.arrays_of(net), nets.describe(net, CARDS)))
    again = nets.from_arrays(CARDS, arrays, meta)
    assert isinstance(again, TokenTransformer)
    assert again.layout == TOKENS
    rows = observations_of(64)
    assert np.array_equal(fused(net, rows), fused(again, rows))


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"tokens": None}, ConfigError, "needs a game that says how its observations are cut"),
        ({"heads": 3}, ConfigError, "heads = 3 must divide the width 16"),
        ({"width": 12}, ConfigError, "width = 12 must be a multiple of 8 between 8 and 1024"),
        ({"tokens": LAYOUT}, ConfigError, "reads place 155, but observations of cards have 40"),
    ],
)
def test_impossible_shapes_are_refused_in_a_sentence(change, error, sentence):
    with pytest.raises(error, match=sentence):
        nets.build(CARDS, **{**SHAPE, **change})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"keep": 13}, "keep = 13 and size = 12 must satisfy"),
        ({"size": 200, "keep": 3}, "<= 128"),
        ({"marks": ()}, "either marks or a number"),
        ({"number": (3, 4, 1)}, "either marks or a number"),
        ({"features": ()}, "at least one feature"),
        ({"features": ((-1, 1),)}, "must have start >= 0"),
        ({"heads": (("reward", 0),)}, "must name a part of the output"),
        ({"name": "two words"}, "letters, digits"),
    ],
)
def test_impossible_groups_are_refused_in_a_sentence(change, sentence):
    good = {
        "name": "cards", "size": 12, "keep": 5, "features": ((0, 1),), "marks": ((0, 1),),
    }  # fmt: skip
    with pytest.raises(ConfigError, match=sentence):
        TokenGroup(**{**good, **change})


def test_columns_and_descriptions_that_do_not_fit_are_refused():
    wide = TokenGroup(
        name="seats", size=5, keep=5, features=((0, 1),), marks=((0, 1),), heads=(("value", 0),)
    )
    with pytest.raises(ConfigError, match="writes value columns up to 4, but cards has 4"):
        nets.build(CARDS, **{**SHAPE, "tokens": TokenLayout((wide,))})
    with pytest.raises(ConfigError, match="with different names"):
        TokenLayout((wide, wide))
    meta = nets.describe(nets.build(CARDS, **SHAPE), CARDS)["network"]
    for data in ([], [{"name": "a"}], [{**meta["tokens"][0], "features": [[0]]}], "tokens"):
        with pytest.raises(VersionError, match=r"token|type list"):
            nets.NetSpec.from_json({**meta, "tokens": data})


def test_blobs_tokens_are_its_cards_and_seats():
    game = _core.game("blob")
    net = nets.build(game, **{**SHAPE, "tokens": LAYOUT, "hidden": 64}, seed=1)
    assert (net.columns, net.value_columns, net.layout.tokens) == (128, 8, 24)
    observation = np.zeros((1, 256), np.float32)
    observation[0, [3, 17, 51]] = 1.0  # held
    observation[0, 104 + 30] = 0.125  # led
    observation[0, 52 + 30] = observation[0, 52 + 8] = 1.0  # played
    observation[0, 220 + 2] = 1.0  # five players
    cards, seats = net.encoders()
    with torch.inference_mode():
        tensor = torch.from_numpy(observation)
        _, real, pick = cards(tensor)
        assert pick[0].argmax(1)[:4].tolist() == [3, 17, 30, 51]
        assert real[0].tolist() == [1.0] * 4 + [0.0] * 12
        assert seats(tensor)[1][0].tolist() == [1.0] * 5 + [0.0] * 3
        assert seats.columns[:8].argmax(1).tolist() == list(range(66, 74))
        assert seats.columns[8:].argmax(1).tolist() == list(range(74, 82))


def rows_of(count, seed):
    """Rows whose policy and value follow from the tokens: the best card held, the seats' sum."""
    observations = observations_of(count, seed)
    marks = observations[:, :12] != 0
    best = np.where(marks, observations[:, 12:24], -np.inf).argmax(1)
    policy = np.zeros((count, 14), np.float32)
    policy[np.arange(count), best] = 1.0
    value = np.sign(observations[:, 24]).astype(np.float32)
    return TrainingRows(
        observations=observations,
        legal=np.arange(count * 14, dtype=np.int32),
        offsets=np.arange(count + 1, dtype=np.int32) * 14,
        policy=policy.reshape(-1),
        value=value,
        margin=value / 2,
        players=np.full(len(value), 2, np.int32),
        root_value=value,
        searched=np.ones(count, np.uint8),
    )


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_the_learner_trains_a_transformer_and_goes_on_exactly(precision):
    def make(seed):
        settings = AlphaZeroSettings(
            batch_size=64, learning_rate=5e-3, warmup_steps=2, margin_weight=0.5,
            precision=precision,
        )  # fmt: skip
        return AlphaZeroLearner(nets.build(DUEL, **{**SHAPE, "tokens": HANDS}, seed=seed), settings)

    straight, steps = make(1), 40
    straight.begin_iteration(None, steps)
    losses = [straight.step(rows_of(64, step))["loss_total"] for step in range(steps)]
    assert np.mean(losses[-4:]) < 0.75 * losses[0]
    assert bool(straight.net.attention()[0].mix.weight.any())  # the branch has opened

    first, second = make(1), make(5)
    first.begin_iteration(None, steps)
    for step in range(10):
        first.step(rows_of(64, step))
    second.restore(first.state())
    for step in range(10, steps):
        second.step(rows_of(64, step))
    one, other = straight.state(), second.state()
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)
