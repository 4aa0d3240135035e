"""Each row of the table is one look at an experiment, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.experiments.analysis import Analysis, analyse
from feedback_platform.experiments.decision import Verdict, decide, winner
from feedback_platform.experiments.definition import Experiment, Goal, Guard
from feedback_platform.experiments.sums import Sums
from feedback_platform_tests.experiments.arms import DESIGN, experiment, of_shares, sums_of

GUARDED = experiment(guards=(Guard("returning_users", 0.05),))
ONCE = replace(DESIGN, is_sequential=False)


def looked_at(
    definition: Experiment, users: int = 5_000, **shares: Mapping[str, float]
) -> Analysis:
    """A look at arms of so many users: metric → variant → the share of them who did it."""
    observed = {
        metric: {name: of_shares(users, round(share * users)) for name, share in arms.items()}
        for metric, arms in shares.items()
    }
    return analyse(definition, dict.fromkeys(definition.variants, users), observed)


def verdict(definition: Experiment, look: Analysis, *, is_over: bool = False) -> Verdict:
    (decision,) = decide(definition, look, is_over=is_over).values()
    assert decision.reason
    return decision.verdict


# By hand, 5,000 users an arm: the standard error is .0057 about .1 and .0092 about .3; a sequence
# reaches 3.05 of them to each side, a fixed interval 1.96.
@pytest.mark.parametrize(
    ("converting", "returning", "is_over", "wanted"),
    [
        # Surely better, and the guard's interval is well within its margin.
        (0.13, 0.30, False, Verdict.SHIP),
        # Better, but not surely yet: at the horizon it has not been shown.
        (0.112, 0.30, False, Verdict.WAIT),
        (0.112, 0.30, True, Verdict.KEEP_CONTROL),
        # No difference, and the wrong direction not surely so.
        (0.10, 0.30, False, Verdict.WAIT),
        (0.09, 0.30, True, Verdict.KEEP_CONTROL),
        # A loser.
        (0.07, 0.30, False, Verdict.STOP),
        (0.07, 0.30, True, Verdict.STOP),
        # A winner whose guard may be worse by more than its margin.
        (0.13, 0.27, False, Verdict.WAIT),
        (0.13, 0.27, True, Verdict.KEEP_CONTROL),
        # A winner whose guard surely is.
        (0.13, 0.20, False, Verdict.STOP),
        # A guard that gets better is no reason to ship.
        (0.10, 0.40, True, Verdict.KEEP_CONTROL),
    ],
)
def test_what_follows_from_a_look(
    *, converting: float, returning: float, is_over: bool, wanted: Verdict
) -> None:
    look = looked_at(
        GUARDED,
        converting_users={"grid": 0.10, "cards": converting},
        returning_users={"grid": 0.30, "cards": returning},
    )

    assert verdict(GUARDED, look, is_over=is_over) is wanted


@pytest.mark.parametrize(
    ("converting", "is_over", "wanted"),
    [
        # 1.03 points are enough for a fixed interval alone, and only at its horizon.
        (0.114, False, Verdict.WAIT),
        (0.114, True, Verdict.SHIP),
        (0.13, False, Verdict.WAIT),
        # Harm is not waited for.
        (0.07, False, Verdict.STOP),
        (0.088, False, Verdict.WAIT),
        (0.088, True, Verdict.STOP),
    ],
)
def test_what_is_to_be_read_once_is_read_at_its_horizon(
    *, converting: float, is_over: bool, wanted: Verdict
) -> None:
    definition = experiment(design=ONCE)
    look = looked_at(definition, converting_users={"grid": 0.10, "cards": converting})

    assert verdict(definition, look, is_over=is_over) is wanted


def test_of_arms_that_are_not_as_large_as_their_shares_nothing_counts() -> None:
    shares = {"grid": of_shares(5_000, 500), "cards": of_shares(4_500, 700)}
    look = analyse(GUARDED, {"grid": 5_000, "cards": 4_500}, {"converting_users": shares})

    (decision,) = decide(GUARDED, look, is_over=True).values()

    assert decision.verdict is Verdict.INVALID
    assert "grid 5,000, cards 4,500" in decision.reason


@pytest.mark.parametrize("is_over", [False, True])
def test_of_too_few_users_nothing_is_decided(*, is_over: bool) -> None:
    look = looked_at(GUARDED, users=99, converting_users={"grid": 0.1, "cards": 0.9})

    found = verdict(GUARDED, look, is_over=is_over)

    assert found is (Verdict.KEEP_CONTROL if is_over else Verdict.WAIT)


def test_without_any_observation_control_stays() -> None:
    nothing = analyse(GUARDED, {}, {})

    assert verdict(GUARDED, nothing) is Verdict.WAIT
    assert verdict(GUARDED, nothing, is_over=True) is Verdict.KEEP_CONTROL


def test_of_what_hardly_anybody_does_nothing_is_sure() -> None:
    """A small arm in which nobody of a hundred does what one in a hundred does is no worse."""
    small = experiment(split={"grid": 90.0, "cards": 10.0})
    arms = {"grid": of_shares(900, 14), "cards": of_shares(100, 0)}

    look = analyse(small, {"grid": 900, "cards": 100}, {"converting_users": arms})

    assert verdict(small, look) is Verdict.WAIT
    assert look.readings["converting_users", "cards"].effect == pytest.approx(-14 / 900)
    # Twenty times as much of the same is surely worse.
    more = {"grid": of_shares(18_000, 280), "cards": of_shares(2_000, 0)}
    later = analyse(small, {"grid": 18_000, "cards": 2_000}, {"converting_users": more})
    assert verdict(small, later) is Verdict.STOP


def test_a_guard_of_which_nothing_was_seen_is_not_passed() -> None:
    unseen = looked_at(GUARDED, converting_users={"grid": 0.10, "cards": 0.13})
    nobody = looked_at(
        GUARDED,
        converting_users={"grid": 0.10, "cards": 0.13},
        returning_users={"grid": 0.0, "cards": 0.0},
    )

    assert verdict(GUARDED, unseen, is_over=True) is Verdict.KEEP_CONTROL
    assert verdict(GUARDED, nobody, is_over=True) is Verdict.KEEP_CONTROL


def test_less_is_better_of_what_nobody_wants() -> None:
    definition = experiment(
        primary=(Goal("bounce_rate", 0.02),), guards=(Guard("dismiss_rate", 0.02),)
    )

    def arm(share: float) -> Sums:
        done = round(share * 5_000)
        return sums_of(total=[1] * done + [0] * (5_000 - done), count=[1] * 5_000)

    def look(bounces: float, dismissals: float) -> Analysis:
        return analyse(
            definition,
            {"grid": 5_000, "cards": 5_000},
            {
                "bounce_rate": {"grid": arm(0.4), "cards": arm(bounces)},
                "dismiss_rate": {"grid": arm(0.1), "cards": arm(dismissals)},
            },
        )

    assert verdict(definition, look(0.3, 0.05)) is Verdict.SHIP
    assert verdict(definition, look(0.5, 0.05)) is Verdict.STOP
    assert verdict(definition, look(0.3, 0.2)) is Verdict.STOP


def test_a_winner_among_many_has_to_be_the_surer() -> None:
    names = {name: name for name in ("grid", *"abcdefghi")}
    many = experiment(variants=names, split=dict.fromkeys(names, 10.0), design=ONCE)
    # p = .018 alone, and nine times that among nine.
    shares = {**dict.fromkeys(names, 0.10), "a": 0.1145}

    decisions = decide(many, looked_at(many, converting_users=shares), is_over=True)
    alone = looked_at(experiment(design=ONCE), converting_users={"grid": 0.10, "cards": 0.1145})

    assert decisions["a"].verdict is Verdict.KEEP_CONTROL
    assert verdict(experiment(design=ONCE), alone, is_over=True) is Verdict.SHIP


def test_of_two_that_may_ship_the_better_one_does() -> None:
    names = {"grid": "grid", "a": "a", "b": "b"}
    three = experiment(variants=names, split=dict.fromkeys(names, 100 / 3))
    look = looked_at(three, converting_users={"grid": 0.10, "a": 0.15, "b": 0.16})

    decisions = decide(three, look, is_over=False)

    assert winner(three, look, decisions) == "b"
    none = looked_at(three, converting_users={"grid": 0.10, "a": 0.10, "b": 0.10})
    assert winner(three, none, decide(three, none, is_over=True)) is None


# Of what nearly everybody does, few are left who do not, and then nothing is said.
shares = st.floats(0.01, 0.8)
designs = st.builds(
    lambda is_sequential, alpha: replace(DESIGN, is_sequential=is_sequential, alpha=alpha),
    st.booleans(),
    st.sampled_from([0.01, 0.05, 0.2]),
)
looks: dict[str, Any] = {
    "design": designs,
    "users": st.sampled_from([150, 1_000, 20_000]),
    "control": shares,
    "treatment": shares,
    "guard": shares,
    "is_over": st.booleans(),
}


def verdict_of(
    design: Any,
    users: int,
    control: float,
    treatment: float,
    guard: float,
    margin: float = 0.1,
    *,
    is_over: bool,
) -> Verdict:
    definition = experiment(design=design, guards=(Guard("returning_users", margin),))
    look = looked_at(
        definition,
        users,
        converting_users={"grid": control, "cards": treatment},
        returning_users={"grid": 0.5, "cards": guard},
    )
    return verdict(definition, look, is_over=is_over)


@given(**looks)
def test_no_loser_ever_ships(*, is_over: bool, **look: Any) -> None:
    found = verdict_of(**look, is_over=is_over)

    if look["treatment"] <= look["control"] or look["guard"] < 0.4:
        assert found is not Verdict.SHIP
    if is_over:
        assert found is not Verdict.WAIT


@given(**looks, other=shares)
def test_a_larger_effect_never_keeps_from_shipping(
    *, is_over: bool, other: float, **look: Any
) -> None:
    less, more = sorted((look.pop("treatment"), other))

    if verdict_of(**look, treatment=less, is_over=is_over) is Verdict.SHIP:
        assert verdict_of(**look, treatment=more, is_over=is_over) is Verdict.SHIP


@given(**looks, other=shares)
def test_where_a_guard_stops_a_worse_one_lets_nothing_ship(
    *, is_over: bool, other: float, **look: Any
) -> None:
    worse, better = sorted((look.pop("guard"), other))

    if verdict_of(**look, guard=better, is_over=is_over) is Verdict.STOP:
        assert verdict_of(**look, guard=worse, is_over=is_over) is not Verdict.SHIP


@given(**looks, wider=st.floats(0.1, 0.9))
def test_a_wider_margin_never_keeps_from_shipping(
    *, is_over: bool, wider: float, **look: Any
) -> None:
    if verdict_of(**look, is_over=is_over) is Verdict.SHIP:
        assert verdict_of(**look, margin=wider, is_over=is_over) is Verdict.SHIP


@given(**looks)
def test_the_end_of_the_time_stops_no_shipping(*, is_over: bool, **look: Any) -> None:
    del is_over
    if verdict_of(**look, is_over=False) is Verdict.SHIP:
        assert verdict_of(**look, is_over=True) is Verdict.SHIP
