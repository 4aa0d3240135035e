"""Java's own HTTP client, which offers HTTP/2 with its first request, as anybody would use it."""

from __future__ import annotations

from pathlib import Path

from feedback_platform_tests.services.processes import required_command, run
from feedback_platform_tests.serving.running import running_server

PROGRAM = Path(__file__).parent / "java_client" / "Send.java"


def test_what_it_sends_is_stored(tmp_path: Path) -> None:
    java = required_command("java", "default-jdk-headless")
    with running_server(tmp_path / "data") as server:
        address = f"http://127.0.0.1:{server.port}/v1/track"
        printed = run([java, str(PROGRAM), address], cwd=tmp_path, seconds=120)
        stored = {line["message"]["messageId"] for line in server.lines()}
    assert printed.split() == ["200"] * 6
    assert stored == {f"{size}-{turn}" for size in (0, 1000, 30_000) for turn in (0, 1)}
