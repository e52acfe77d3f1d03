"""Players: everything that chooses an action."""

from ludus.players.lanes import LaneFailure, Lanes, PhaseSeconds, failure_of
from ludus.players.player import (
    Actions,
    Chooser,
    ExternalPlayer,
    Keys,
    Player,
    RandomPlayer,
    SearchPlayer,
    StateRows,
    searchers,
    slots_settings,
)
from ludus.players.search import (
    evaluation_settings,
    load_network,
    policy_player,
    search_player,
    settings_of_run,
    uniform_player,
)
from ludus.players.spec import PlayableGame, known_players, parse_player, player_of_run

__all__ = [
    "Actions",
    "Chooser",
    "ExternalPlayer",
    "Keys",
    "LaneFailure",
    "Lanes",
    "PhaseSeconds",
    "PlayableGame",
    "Player",
    "RandomPlayer",
    "SearchPlayer",
    "StateRows",
    "evaluation_settings",
    "failure_of",
    "known_players",
    "load_network",
    "parse_player",
    "player_of_run",
    "policy_player",
    "search_player",
    "searchers",
    "settings_of_run",
    "slots_settings",
    "uniform_player",
]
