"""Documents of :mod:`ludus.monitor.inspect` as text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ludus.cli.output import printable, table

_COLUMNS = 100


def _number(value: Any, form: str = "+.3f") -> str:
    return "-" if value is None else format(value, form)


def _lines(text: str) -> str:
    """A drawing of a game, whose lines stay lines."""
    return "\n".join(printable(line) for line in text.split("\n"))


def edges_text(edges: Sequence[Mapping[str, Any]], top: int) -> str:
    """The table of a search's edges, as many as asked for."""
    rows = [
        (
            edge.get("text", edge["action"]),
            edge["visits"],
            _number(edge["q"]) if edge["visits"] else "-",
            _number(edge["prior"], ".4f"),
            _number(edge.get("policy"), ".4f"),
        )
        for edge in edges[:top]
    ]
    more = len(edges) - len(rows)
    shown = table(("action", "visits", "Q", "prior", "policy"), rows)
    return shown + (f"\n... and {more} more" if more else "")


def _indent(text: str) -> str:
    return textwrap.indent(text, "  ")


def position_text(document: Mapping[str, Any], top: int) -> str:
    """A position."""
    lines = [_lines(document["drawing"]), "", f"position  {printable(document['position'])}"]
    if document["kind"] == "terminal":
        return "\n".join([*lines, f"the game is over: returns {document['returns']}"])
    if document["kind"] == "chance":
        if not document["outcomes"]:
            return "\n".join([*lines, "chance moves; its outcomes are too many to be listed"])
        lines.append(f"chance moves for seat {document['seat']}; the likeliest outcomes:")
        rows = [(one["text"], f"{one['probability']:.4f}") for one in document["outcomes"]]
        return "\n".join([*lines, _indent(table(("outcome", "probability"), rows))])
    kind = f", a {document['decision']}" if document["decision"] else ""
    lines.append(f"seat      {document['seat']} decides{kind}")
    legal = [one for one in document["legal"] if one["stands_for"] == one["action"]]
    texts = ", ".join(f"{printable(one['text'])} ({one['action']})" for one in legal)
    alike = len(document["legal"]) - len(legal)
    lines.append(
        f"legal     {len(legal)} actions" + (f" ({alike} more mean the same)" * bool(alike))
    )
    lines.append(_indent(textwrap.fill(texts, _COLUMNS)))
    network = document.get("network")
    if network:
        values = ", ".join(_number(value) for value in network["values"])
        lines += [
            "",
            f"network   value {_number(network['value'])} for the seat that decides ({values} by "
            f"seat), prior entropy {network['prior_entropy']:.3f} nats",
        ]
    if document.get("analysis"):
        lines += ["", "analysis  best first, in points ahead for the seat that decides"]
        judged = [
            (
                _number(one["value"], "+.2f"),
                "exact" if one["exact"] else one["depth"],
                f"{one['nodes']:,}",
                printable(one["text"]),
            )
            for one in document["analysis"][:top]
        ]
        lines.append(_indent(table(("value", "depth", "nodes", "play"), judged)))
    if document.get("not_searched"):
        lines += ["", textwrap.fill(f"search    none: {document['not_searched']}", _COLUMNS)]
    search = document.get("search")
    if not search:
        return "\n".join(lines)
    if not search["edges"]:
        return "\n".join([*lines, "", f"chosen    {printable(search['text'])}, without a search"])
    lines += ["", f"search    {search['simulations']} visits, value {_number(search['value'])}"]
    if search["entropy"] is not None:
        lines[-1] += (
            f", policy entropy {search['entropy']:.3f} nats, surprise {search['surprise']:.4f} nats"
        )
    lines += [f"chosen    {printable(search['text'])}", _indent(edges_text(search["edges"], top))]
    return "\n".join(lines)


def roots_text(found: Sequence[Mapping[str, Any]], total: int, *, edges: bool, top: int) -> str:
    """A list of sampled roots."""
    if not found:
        return "no sampled root passes the filter"
    rows = [
        (
            root["iteration"],
            root["game"],
            root["ply"],
            root["seat"],
            root.get("text", str(root["action"])),
            f"{root['value']:+.3f}",
            f"{root['entropy']:.3f}",
            f"{root['largest']:.3f}",
            f"{root['surprise']:.4f}",
            f"{root['disagreement']:.3f}",
            root["simulations"],
        )
        for root in found
    ]
    names = ("iteration", "game", "ply", "seat", "action", "value", "entropy", "largest")
    lines = [table((*names, "surprise", "disagreement", "sims"), rows)]
    if edges:
        for root in found:
            place = f"game {root['game']}, ply {root['ply']}"
            if "position" in root:
                place += f": {printable(root['position'])}"
            ranked = sorted(root["edges"], key=lambda edge: (-edge["visits"], -edge["prior"]))
            lines += ["", place, _indent(edges_text(ranked, top))]
    return "\n".join([*lines, f"{len(found)} of {total} roots; entropy and surprise in nats"])


def diff_text(document: Mapping[str, Any], top: int) -> str:
    """Two sets of weights."""
    total = document["total"]
    lines = [f"from {document['first']['what']}", f"to   {document['second']['what']}", ""]
    part = document["first"]["part"]
    if part:
        lines.insert(2, f"the part {part} of checkpoints")
    if total["tensors"] and not document["tensors"] and not document["other_shape"]:
        lines.append(f"all {total['tensors']} tensors with the same name are equal to the bit")
    elif total["tensors"]:
        lines.append(
            f"{total['tensors']} tensors, {total['elements']:,} numbers: changed by "
            f"{_relative(total['relative'])} of their norm, "
            f"cosine {_number(total['cosine'], '.6f')}"
        )
    rows = [
        (
            row["name"],
            "x".join(map(str, row["shape"])) or "one",
            f"{row['norm_first']:.4g}",
            f"{row['norm_second']:.4g}",
            _relative(row["relative"]),
            _number(row["cosine"], ".4f"),
            _entry(row["largest"][0]) if row["largest"] else "-",
            "" if row["finite"] else "NOT FINITE",
        )
        for row in document["tensors"][:top]
    ]
    if rows:
        head = ("tensor", "shape", "norm", "norm now", "changed by", "cosine", "most", "")
        lines.append(table(head, rows))
        more = len(document["tensors"]) - len(rows)
        lines += [f"... and {more} more that changed"] * bool(more)
    if document["unchanged"] and document["tensors"]:
        lines.append(f"{len(document['unchanged'])} tensors are equal to the bit")
    for one in document["other_shape"]:
        lines.append(f"other shape: {one['name']} {one['first']} -> {one['second']}")
    for key, which in (("only_first", "first"), ("only_second", "second")):
        if document[key]:
            lines.append(f"only in the {which}: {', '.join(document[key])}")
    for key in ("settings", "counters", "facts"):
        if document[key]:
            cells = [(one["key"], one["first"], one["second"]) for one in document[key]]
            lines += ["", f"{key} that differ", _indent(table((key, "first", "second"), cells))]
    if document["tables"]:
        from ludus.monitor.inspect.table_changes import changes_text

        lines += ["", _lines(changes_text(document["tables"]))]
    return "\n".join(lines)


def _relative(value: float | None) -> str:
    if value is None:
        return "-"
    return "all (was 0)" if value == float("inf") else f"{100 * value:.2f} %"


def _entry(one: Mapping[str, Any]) -> str:
    return f"{one['index']}: {one['first']:.4g} -> {one['second']:.4g}"


def game_text(document: Mapping[str, Any], top: int) -> str:
    """A recorded game."""
    scores = " to ".join(f"{score:g}" for score in document["scores"])
    lines = [
        f"game {document['game']} of iteration {document['iteration']}, seed {document['seed']}, "
        f"{document['total_plies']} plies, scores {scores}"
    ]
    if document["opening"] is not None:
        lines.append(f"begins with {printable(document['opening'])}")
    again = {one["ply"]: one for one in document.get("searched_again", ())}
    for ply in document["plies"]:
        lines += ["", *_ply_lines(ply, again.get(ply["ply"]), top)]
    if again:
        lines += ["", _again_text(list(again.values()))]
    return "\n".join(lines)


def _ply_lines(ply: Mapping[str, Any], again: Mapping[str, Any] | None, top: int) -> list[str]:
    said = [f"temperature {ply['temperature']:g}", *ply["flags"]]
    if ply["edges"]:
        said = [f"value {_number(ply['value'])}", f"{ply['simulations']} sims", ply["rule"], *said]
    lines = [f"ply {ply['ply']}, seat {ply['seat']}: {printable(ply['text'])}  ({', '.join(said)})"]
    if "drawing" in ply:
        lines.append(_indent(_lines(ply["drawing"])))
    lines.append(f"  at {printable(ply['position'])}")
    if ply["edges"]:
        lines.append(_indent(edges_text(ply["edges"], top)))
    if again is not None:
        search = again["search"]
        how = "the same visits" if again["same_visits"] else "other visits"
        if again["moved_visits"]:
            how += f", {again['moved_visits']:.0%} of them elsewhere"
        lines.append(
            f"  again: {printable(search['text'])}, value {_number(search['value'])}, {how}"
        )
        if not again["same_visits"] and search["edges"]:
            lines.append(_indent(edges_text(search["edges"], top)))
    if ply["chance"] is not None:
        lines.append(f"  then {printable(ply['chance'])}")
    return lines


def _again_text(again: Sequence[Mapping[str, Any]]) -> str:
    same = sum(one["same_visits"] for one in again)
    actions = sum(one["same_action"] for one in again)
    text = (
        f"searched again by {printable(again[0]['player'])}: {same} of {len(again)} with the same "
        f"visits, {actions} with the same action"
    )
    first = next((one["ply"] for one in again if not one["same_visits"]), None)
    return text if first is None else f"{text}; the first that differs is ply {first}"


def anomalies_text(document: Mapping[str, Any]) -> str:
    """What is odd in a run."""
    looked = ", ".join(document["looked"])
    lines = [f"{one['severity']}: {printable(one['text'])}" for one in document["findings"]]
    if not lines:
        lines = ["nothing odd"]
    return "\n".join([*lines, f"looked at {looked}; {document['games']} games"])


def records_text(rows: Sequence[Mapping[str, Any]], top: int) -> str:
    """Records of one type, the newest, one block each column set; wide rows go down the page."""
    shown = rows[-top:]
    lines = []
    for row in shown:
        cells = ", ".join(
            f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in row.items()
            if key not in ("event", "ts_ms") and not isinstance(value, list | dict)
        )
        lines.append(textwrap.fill(printable(cells), _COLUMNS, subsequent_indent="    "))
    return "\n".join([*lines, f"the newest {len(shown)} of {len(rows)}; all with --csv or --json"])


def record_types_text(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Which records there are."""
    rows = []
    for name, found in sorted(records.items()):
        columns = [key for key in found[-1] if key not in ("event", "ts_ms", "step")]
        some = ", ".join(columns[:6]) + (f", ... ({len(columns)})" if len(columns) > 6 else "")
        rows.append((name, len(found), found[-1].get("step", "-"), some))
    return table(("record", "number", "last step", "columns"), rows)
