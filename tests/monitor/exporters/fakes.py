"""A W&B client that remembers, for tests without a network; the real one is tested offline."""

from pathlib import Path
from typing import Any


class FakeArtifact:
    def __init__(self, name: str, type: str, metadata: dict[str, Any]) -> None:
        self.name, self.type, self.metadata = name, type, metadata
        self.files: list[str] = []

    def add_file(self, path: str) -> None:
        assert Path(path).is_file()
        self.files.append(path)


class FakeRun:
    def __init__(self, failures: list[Exception]) -> None:
        self.rows: list[dict[str, float]] = []
        self.defined: list[tuple[str, str | None]] = []
        self.artifacts: list[tuple[FakeArtifact, list[str]]] = []
        self.finished = 0
        self.failures = failures

    def define_metric(
        self, name: str, step_metric: str | None = None, hidden: bool = False
    ) -> None:
        self.defined.append((name, step_metric))

    def log(self, row: dict[str, float]) -> None:
        self.rows.append(row)

    def log_artifact(self, artifact: FakeArtifact, aliases: list[str]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.artifacts.append((artifact, aliases))

    def finish(self) -> None:
        self.finished += 1


class FakeWandb:
    """Stands for the module ``wandb``."""

    class errors:  # noqa: N801 - as in the module
        class UsageError(Exception):
            pass

    Artifact = FakeArtifact

    def __init__(self, *failures: Exception, refuse: str = "") -> None:
        self.failures = list(failures)
        self.refuse = refuse
        self.inits: list[dict[str, Any]] = []
        self.runs: list[FakeRun] = []

    def Settings(self, **settings: Any) -> dict[str, Any]:
        return settings

    def init(self, **options: Any) -> FakeRun:
        if self.refuse:
            raise self.errors.UsageError(self.refuse)
        self.inits.append(options)
        self.runs.append(FakeRun(self.failures))
        return self.runs[-1]

    def teardown(self) -> None:
        assert all(run.finished == 1 for run in self.runs)

    @property
    def rows(self) -> list[dict[str, float]]:
        return [row for run in self.runs for row in run.rows]

    @property
    def artifacts(self) -> list[tuple[FakeArtifact, list[str]]]:
        return [one for run in self.runs for one in run.artifacts]


class FakeExperiment:
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.flushes = 0

    def log(self, **event: Any) -> None:
        self.events.append(event)

    def flush(self) -> None:
        self.flushes += 1


class FakeBraintrust:
    """Stands for the module ``braintrust``; one experiment for ever, as in the service."""

    def __init__(self) -> None:
        self.inits: list[dict[str, Any]] = []
        self.experiment = FakeExperiment()

    def init(self, **options: Any) -> FakeExperiment:
        self.inits.append(options)
        return self.experiment
