"""A run with champions of three units, made by the real writers."""

from ludus import _core, nets
from ludus.runs import Run, SchemaIds

CONFIG = {
    "game": "yatzy",
    "search": {"rule": "gumbel", "budget": 2, "considered": 4},
    "runtime": {"precision": "f32"},
}


def make_run(path, units=(0, 2, 5)):
    """Champions of random networks; the history names all of them."""
    game = _core.game("yatzy")
    schema = SchemaIds(game.encoder_id, game.action_space_id, game.rules_id)
    with Run.create(path, recipe="yatzy", asked=b"", resolved=CONFIG, seed=7, schema=schema) as run:
        refs = []
        for unit in units:
            net = nets.build(game, hidden=32, blocks=1, seed=unit)
            about = nets.describe(net, game)
            refs.append(run.put_model("champion", unit, nets.arrays_of(net), about))
            run.iterations.append({"iteration": unit, "best_model_path": refs[-1].path})
        run.commit({}, {"first": refs[0], "champion": refs[-1]})
    return path
