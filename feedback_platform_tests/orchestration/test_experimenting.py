"""What a person asks for in the launchpad is done once, however often the step is tried."""

from pathlib import Path

import pytest

from feedback_platform.adjustment.flags.definitions_file import shipped_definitions
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.installation import InstalledExperiments
from feedback_platform.orchestration.assets.experimenting import ExperimentConfig, do_what_is_asked
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.settings import Settings
from feedback_platform_tests.adjustment.flags.definitions import ADA
from feedback_platform_tests.experiments.test_changer import DEFINITION, KEY

START = ExperimentConfig(start=KEY, reason="it is time")
STOP = ExperimentConfig(stop=KEY, reason="it was long enough")
SHIP = ExperimentConfig(stop=KEY, ship="cards", override="the board", reason="it sells")


class Launchpad:
    """A step that is tried once or twice."""

    def __init__(self, directory: Path) -> None:
        definitions = directory / "experiments.toml"
        definitions.write_text(DEFINITION)
        settings = Settings(directory, (directory / "lake").as_uri(), experiments=definitions)
        self._platform = PlatformResource.from_settings(settings)
        lake = self._platform.lake()
        Flags(lake).apply(shipped_definitions(), ADA)
        self.installed = InstalledExperiments(lake, self._platform.now)

    def ask(self, config: ExperimentConfig, *, is_again: bool = False) -> None:
        do_what_is_asked(self._platform, self.installed, config, is_again=is_again)

    @property
    def position(self) -> int:
        return self.installed.log.refresh().position


@pytest.fixture
def launchpad(tmp_path: Path) -> Launchpad:
    return Launchpad(tmp_path)


@pytest.mark.parametrize("last", [STOP, SHIP], ids=["stop", "ship"])
def test_a_step_that_is_tried_again_does_nothing_twice(
    launchpad: Launchpad, last: ExperimentConfig
) -> None:
    for position, config in enumerate((START, last), start=1):
        launchpad.ask(config)
        launchpad.ask(config, is_again=True)
        assert launchpad.position == position


def test_a_step_that_failed_before_it_did_anything_does_it_when_it_is_tried_again(
    launchpad: Launchpad,
) -> None:
    for position, config in enumerate((START, STOP), start=1):
        launchpad.ask(config, is_again=True)
        assert launchpad.position == position


def test_who_asks_twice_is_told_so(launchpad: Launchpad) -> None:
    launchpad.ask(START)
    with pytest.raises(InvalidInputError, match="runs since"):
        launchpad.ask(START)
    launchpad.ask(STOP)
    with pytest.raises(InvalidInputError, match="is over since"):
        launchpad.ask(STOP)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (ExperimentConfig(start=KEY, stop=KEY, reason="x"), "start or stop, not both"),
        (ExperimentConfig(ship="cards", reason="x"), "Fill in stop, too"),
        (ExperimentConfig(start=KEY, override="y", reason="x"), "Fill in stop, too"),
        (ExperimentConfig(start=KEY), "Say why"),
    ],
    ids=["both", "ship alone", "override alone", "no reason"],
)
def test_what_is_filled_in_wrongly_is_told_and_changes_nothing(
    launchpad: Launchpad, config: ExperimentConfig, said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        launchpad.ask(config)
    assert launchpad.position == 0
