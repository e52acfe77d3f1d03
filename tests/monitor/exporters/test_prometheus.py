"""``/metrics``: what it says of a real run, over real HTTP, and who may ask how."""

import http.client
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.training import tiny

from ludus.cli.main import main
from ludus.errors import UserError
from ludus.monitor.exporters.prometheus import CONTENT_TYPE, MOST_SERIES, Exporter
from ludus.monitor.exporters.server import MetricsServer
from ludus.runs import Run, describe_run, read_status
from ludus.training.catalogue import CATALOGUE

Samples = dict[str, list[tuple[dict[str, str], float]]]


def parse(text: str) -> Samples:
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return samples


def value(samples: Samples, name: str, /, **labels: str) -> float:
    found = [v for have, v in samples[name] if labels.items() <= have.items()]
    assert len(found) == 1, (name, labels, samples[name])
    return found[0]


def doctor(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = run / "status.json"
    status = json.loads(path.read_text())
    change(status)
    path.write_text(json.dumps(status))


@pytest.fixture
def serve() -> Iterator[Callable[..., MetricsServer]]:
    servers: list[MetricsServer] = []

    def start(text: Callable[[], bytes], **options: Any) -> MetricsServer:
        server = MetricsServer(text, port=0, **options)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


def ask(
    server: MetricsServer, path: str = "/metrics", method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


# -- what it says ----------------------------------------------------------------------------------


def test_every_figure_of_a_real_run_over_http(run: Path, serve: Callable) -> None:
    code, headers, text = ask(serve(Exporter(run).text))
    assert (code, headers["Content-Type"]) == (200, CONTENT_TYPE)
    samples = parse(text)
    status = read_status(run)
    assert status is not None
    for figure in CATALOGUE:
        known = status["figures"][figure.name]
        name = f"ludus_{figure.name}".replace("_mb", "_bytes")
        if figure.kind == "counter":
            if known is not None:
                assert value(samples, name + "_total", run="run", recipe="yatzy") == known
        elif known is None:
            assert math.isnan(value(samples, name))
        else:
            assert value(samples, name) == pytest.approx(
                known * 1e6 if figure.name.endswith("_mb") else known
            )
    assert value(samples, "ludus_games_total") == 72
    counters = status["counters"]
    assert value(samples, "ludus_count_total", counter="train_step") == counters["train_step"]
    assert value(samples, "ludus_up") == 0
    assert {labels["state"]: on for labels, on in samples["ludus_state"] if on} == {"done": 1}
    summary = describe_run(run)
    assert value(samples, "ludus_last_commit_timestamp_seconds") == summary.committed_ms / 1000
    info = samples["ludus_run_info"][0][0]
    assert (info["run_id"], info["incarnation"]) == (summary.id, status["incarnation"])
    assert value(samples, "ludus_alert_active", name="disk_low") == 0


def test_games_are_counted_by_their_result(made: Path) -> None:
    status = read_status(made)
    assert status is not None
    counters = status["counters"]
    results = [counters[name] for name in ("wins_seat_0", "wins_seat_1", "draws")]
    assert sum(results) == counters["selfplay_games"] == 72
    assert min(results[:2]) > 0


def test_the_series_of_a_run_are_fixed(made: Path, tmp_path: Path) -> None:
    """Another iteration adds no series, and none has more than it may."""
    run = Path(shutil.copytree(made, tmp_path / "run"))
    tiny.train(run, iterations=2)  # the first evaluation: its counter begins
    before = {(n, str(sorted(la.items()))) for n, all_ in series(run).items() for la, _ in all_}
    tiny.train(run, iterations=3)
    after = {(n, str(sorted(la.items()))) for n, all_ in series(run).items() for la, _ in all_}
    changed = {name for name, _ in before ^ after}
    assert changed == {"ludus_run_info"}  # the incarnation
    assert len(after) == len(before) < MOST_SERIES


def series(run: Path) -> Samples:
    return parse(Exporter(run).text().decode())


def test_a_status_full_of_names_has_an_end(run: Path) -> None:
    def change(status: dict[str, Any]) -> None:
        for key in ("counters", "memory", "health"):
            status[key] = {f"name_{i}": i for i in range(5000)}
        status["guards"] = [{"name": f"g{i}", "state": "ok"} for i in range(5000)]
        status["alerts"] = [{"name": f"a{i}"} for i in range(5000)]
        status["figures"].update({f"f{i}": 1.0 for i in range(5000)})

    doctor(run, change)
    assert sum(len(found) for found in series(run).values()) < MOST_SERIES


def test_guards_alerts_health_and_memory(run: Path) -> None:
    def change(status: dict[str, Any]) -> None:
        status["guards"] = [{"name": "disk", "state": "acting", "text": "", "count": 1}]
        status["alerts"] = [{"name": "disk_low"}, {"name": "my_rule"}]
        status["memory"] = {"replay": 5, "total": 7}
        status["health"] = {"value_mse": 0.5, "findings": ["x"], "step": 9}

    doctor(run, change)
    samples = series(run)
    assert value(samples, "ludus_guard_state", guard="disk") == 2
    assert value(samples, "ludus_alert_active", name="disk_low") == 1
    assert value(samples, "ludus_alert_active", name="my_rule") == 1
    assert value(samples, "ludus_alert_active", name="loss_spike") == 0
    assert value(samples, "ludus_memory_component_bytes", component="replay") == 5
    assert [labels["figure"] for labels, _ in samples["ludus_health"]] == ["value_mse"]


def test_hostile_labels_are_escaped(run: Path, tmp_path: Path) -> None:
    name = 'a"b\\c\nd} 1\nludus_up 99'
    run.rename(tmp_path / name)
    bad = 'x"} 5\n# TYPE evil gauge\nevil{a="\ud800'

    def change(status: dict[str, Any]) -> None:
        status["alerts"] = [{"name": bad}, {"name": 5}, 7]
        status["memory"] = {bad: 3}
        status["counters"] = {bad: 4, "text": "no number", "flag": True}

    doctor(tmp_path / name, change)
    samples = series(tmp_path / name)
    assert "evil" not in samples
    assert [labels["run"] for labels, _ in samples["ludus_up"]] == [name]
    assert [labels["component"] for labels, _ in samples["ludus_memory_component_bytes"]] == [
        bad.replace("\ud800", "?")
    ]
    assert len(samples["ludus_count_total"]) == 1


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"figures": 3, "alerts": {}, "guards": 1}'])
def test_a_damaged_status_is_unknown(run: Path, damage: str) -> None:
    (run / "status.json").write_text(damage)
    samples = series(run)
    assert value(samples, "ludus_up") == 0
    assert math.isnan(value(samples, "ludus_loss"))


def test_all_runs_of_a_folder(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "second")
    (tmp_path / "no run").mkdir()
    samples = series(tmp_path)
    assert sorted(labels["run"] for labels, _ in samples["ludus_up"]) == ["run", "second"]


def test_up_while_somebody_holds_the_run(run: Path) -> None:
    with Run.open(run, write=True):
        assert value(series(run), "ludus_up") == 1


def test_exact_names_of_a_recipe_with_a_prefix(run: Path, tmp_path: Path) -> None:
    """Rows C-115 to C-121, by a doctored recipe: chess declares the prefix when it comes."""
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    (recipes / "yatzy.yaml").write_text("metrics: {prefix: mcts_continuous_play}\n")

    def change(status: dict[str, Any]) -> None:
        status["counters"].update(wins_seat_0=5, wins_seat_1=3, draws=2)
        status["figures"].update(elo=1512.5, loss=2.25, games_per_minute=None, games_per_second=3)

    doctor(run, change)
    status = read_status(run)
    assert status is not None
    samples = parse(Exporter(run, recipes=recipes).text().decode())
    name = "mcts_continuous_play_{}".format
    games = {labels["result"]: count for labels, count in samples[name("games_total")]}
    assert games == {"white_win": 5, "black_win": 3, "draw": 2}
    figures = status["figures"]
    assert value(samples, name("session_duration_seconds")) == figures["elapsed_seconds"]
    assert value(samples, name("elo_estimate")) == 1512.5
    assert value(samples, name("training_loss")) == 2.25
    assert value(samples, name("positions_learned_total")) == figures["positions_learned"]
    assert value(samples, name("buffer_size")) == figures["buffer_samples"]
    assert value(samples, name("games_per_minute")) == 180

    (recipes / "yatzy.yaml").write_text(
        "metrics: {prefix: mcts_continuous_play, names: {training_loss: elo}}\n"
    )
    from ludus.monitor.exporters.named import prefix_of

    prefix_of.cache_clear()
    samples = parse(Exporter(run, recipes=recipes).text().decode())
    assert value(samples, name("training_loss")) == 1512.5
    assert not [name for name in series(run) if not name.startswith("ludus_")]


@pytest.mark.parametrize(
    "text", ["", "- a", "metrics: 3", "metrics: {prefix: 'a b'}", "metrics: {prefix: ludus}", "{"]
)
def test_a_recipe_without_a_good_prefix_has_none(tmp_path: Path, text: str) -> None:
    from ludus.monitor.exporters.named import prefix_of

    (tmp_path / "r.yaml").write_text(text)
    assert prefix_of("r", tmp_path) == ("", {})
    assert prefix_of("../r", tmp_path) == ("", {})


# -- the server ------------------------------------------------------------------------------------


def test_two_paths_and_nothing_else(serve: Callable) -> None:
    server = serve(lambda: b"x 1\n")
    assert server.url.startswith("http://127.0.0.1:")
    assert ask(server)[::2] == (200, "x 1\n")
    assert ask(server, "/metrics?a=b")[::2] == (200, "x 1\n")
    assert ask(server, "/healthz")[::2] == (200, "ok\n")
    for path in ("/", "/metrics/", "/../etc/passwd", "/status.json"):
        assert ask(server, path)[0] == 404
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"):
        code, headers, _ = ask(server, method=method)
        assert (code, headers["Allow"]) == (405, "GET")


def test_the_host_header_is_looked_at(serve: Callable) -> None:
    server = serve(lambda: b"x 1\n")
    for host in ("localhost", "127.0.0.1:9", "LOCALHOST:80", "[::1]:80"):
        assert ask(server, Host=host)[0] == 200
    for host in ("evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example:80"):
        assert ask(server, Host=host)[0] == 403


def test_an_address_that_others_reach_needs_a_token(serve: Callable) -> None:
    with pytest.raises(UserError, match="needs a token"):
        MetricsServer(lambda: b"", address="0.0.0.0", port=0)  # noqa: S104
    server = serve(lambda: b"x 1\n", address="0.0.0.0", token="secret")  # noqa: S104
    assert ask(server)[0] == 401
    assert ask(server, Authorization="Bearer secre")[0] == 401
    assert ask(server, Authorization="Bearer secret", Host="ludus.example")[0] == 200
    assert ask(server, "/healthz")[0] == 200
    with pytest.raises(UserError, match="no IP address"):
        MetricsServer(lambda: b"", address="example.com", port=0)


def test_a_port_that_is_taken_is_one_sentence(serve: Callable, made: Path, capsys: Any) -> None:
    port = serve(lambda: b"").server_port
    assert main(["metrics", str(made), "--port", str(port)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"ludus: port {port} of 127.0.0.1 cannot be had")
    assert error.count("\n") == 1
    assert main(["metrics", str(made), "--port", "99999"]) == 2


def test_a_hundred_scrapers_and_slow_ones(run: Path, serve: Callable) -> None:
    """Those who connect and say nothing, or a byte now and then, are closed; others are served."""
    server = serve(Exporter(run).text, seconds=1.0)
    address = ("127.0.0.1", server.server_port)
    silent = [socket.create_connection(address) for _ in range(20)]
    results: list[int] = []

    def scrape() -> None:
        results.append(ask(server)[0])

    threads = [threading.Thread(target=scrape) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [200] * 100
    end = time.monotonic() + 10
    for number, one in enumerate(silent):
        one.settimeout(max(0.1, end - time.monotonic()))
        if number % 2:
            one.send(b"GET /metr")
        assert one.recv(4096) == b""
        one.close()


def test_too_many_connections_are_refused_and_the_server_lives_on(serve: Callable) -> None:
    server = serve(lambda: b"x 1\n", seconds=1.0)
    address = ("127.0.0.1", server.server_port)
    held = [socket.create_connection(address) for _ in range(200)]
    time.sleep(0.2)
    assert threading.active_count() < 160
    for one in held:
        one.close()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if ask(server)[0] == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
    pytest.fail("nobody is served any more")


def test_an_asker_who_goes_away_in_the_middle(serve: Callable) -> None:
    server = serve(lambda: b"x" * 50_000_000)
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.server_port)) as one:
            one.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            one.recv(10)
    assert ask(server, "/healthz")[0] == 200


def test_many_scrapes_read_the_run_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ludus.monitor.exporters.prometheus as module

    looked: list[Path] = []

    def look(path: Path) -> Any:
        looked.append(path)
        return describe_run(path)

    monkeypatch.setattr(module, "describe_run", look)
    exporter = Exporter(run)
    assert len({exporter.text() for _ in range(50)}) == 1
    assert len(looked) == 1


# -- the command -----------------------------------------------------------------------------------


def test_once_prints_the_text(made: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["metrics", str(made), "--once"]) == 0
    assert value(parse(capsys.readouterr().out), "ludus_games_total") == 72


def test_the_command_serves_until_ctrl_c(made: Path) -> None:
    process = subprocess.Popen(
        tiny.command("metrics", str(made), "--port", "0"),
        stderr=subprocess.PIPE,
        text=True,
        env=tiny.environment(),
    )
    try:
        assert process.stderr is not None
        url = next(word for word in process.stderr.readline().split() if word.startswith("http"))
        port = int(url.rpartition(":")[2].partition("/")[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/metrics")
        assert value(parse(connection.getresponse().read().decode()), "ludus_games_total") == 72
        connection.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_token_file(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ["metrics", str(made), "--address", "0.0.0.0", "--port", "0"]  # noqa: S104
    assert main(arguments) == 2
    assert "--token-file" in capsys.readouterr().err
    (tmp_path / "token").write_text("\n")
    assert main([*arguments, "--token-file", str(tmp_path / "token")]) == 2
    assert main([*arguments, "--token-file", str(tmp_path / "none")]) == 2


def test_exporters_need_no_torch() -> None:
    """The companion is small: it must not hold a second copy of torch beside the trainer."""
    code = (
        "import sys; import ludus.monitor.exporters.prometheus as p, "
        "ludus.monitor.exporters.companion_process, ludus.monitor.exporters.feed, "
        "ludus.monitor.exporters.server; from pathlib import Path; p._settings(Path('x')); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False)
    assert done.returncode == 0
