"""Driving the monitor without a terminal."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.pilot import Pilot

from ludus.monitor.tui.app import MonitorApp
from ludus.monitor.tui.pane import Lines, Pane

Act = Callable[[MonitorApp, Pilot[None]], Awaitable[None]]


def drive(
    act: Act,
    run: Path | None,
    *,
    root: Path = Path("runs"),
    size: tuple[int, int] = (80, 24),
    every: float = 60.0,
) -> MonitorApp:
    """Show the monitor and let `act` press keys and look."""
    app = MonitorApp(run, root, every)

    async def main() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await act(app, pilot)

    asyncio.run(main())
    return app


def shown(app: MonitorApp) -> str:
    """Every line that the screen on top has, hidden panels left out."""
    lines: list[str] = []
    for widget in app.screen.query(Lines):
        if widget.display:
            lines += widget.lines
    for pane in app.screen.query(Pane):
        if pane.display and (pane.parent is None or pane.parent.display):
            lines += pane.lines
    return "\n".join(lines)


def line(app: MonitorApp, name: str) -> str:
    """A strip of lines by id, as one text."""
    return "\n".join(app.screen.query_one(f"#{name}", Lines).lines)


async def until(pilot: Pilot[None], true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that another thread or process does."""
    for _ in range(int(seconds / 0.05)):
        if true():
            return
        await pilot.pause(0.05)
    raise AssertionError(f"not within {seconds} s: {shown(pilot.app)}")
