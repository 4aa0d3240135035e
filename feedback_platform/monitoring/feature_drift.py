"""Whether features are distributed as they were when the model learned them.

Two figures for each feature:
- the Kolmogorov-Smirnov distance, the largest difference of the two distribution functions, with
  the p-value of its asymptotic distribution (Kolmogorov, 1933; Smirnov, 1948), conservative where
  values repeat;
- the population stability index, sum of (p - q) ln(p / q) over ten parts of the reference and one
  for those without a value (Kullback and Leibler's divergence, both ways round). Customarily,
  below 0.1 is stable, and from 0.2 on shifted.

With a million users every trifle is significant, and of forty features one is at any look. So a
feature is off at a look when its test rejects among the tests of all features together (Holm,
1979) and one of the two figures is as large as matters; it has drifted when it is off at several
looks in a row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import kolmogorov

from feedback_platform.monitoring.drift import RECORDED, DriftEvent
from feedback_platform.monitoring.feature_reference import Distribution, FeatureReference
from feedback_platform.monitoring.monitoring_rules import FEATURE, FeatureRules
from feedback_platform.multiplicity import holm

PARTS: Final = 10
# Added to each part, so that an empty one is no infinite divergence (Jeffreys).
_PSEUDO_COUNT: Final = 0.5

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FeatureLook:
    """One feature at one look.

    Attributes:
        feature: `user.` or `item.` and its name.
        measured_at: up to when the features look (UTC).
        reference_version: the model version whose features they are held against.
        users: users, or items, with a value now.
        psi, ks, ks_p_value: see above; the p-value is not adjusted.
        is_off: whether this look says that it is not as it was.
        is_drifted: whether as many in a row say so as have to.
        before_mean, after_mean: of the reference, and now.
    """

    feature: str
    measured_at: datetime
    reference_version: str
    users: int
    psi: float
    ks: float
    ks_p_value: float
    is_off: bool
    is_drifted: bool
    before_mean: float
    after_mean: float


def compare(
    reference: FeatureReference,
    present: Mapping[str, Distribution],
    earlier: Sequence[FeatureLook],
    *,
    version: str,
    measured_at: datetime,
    rules: FeatureRules,
) -> list[FeatureLook]:
    """Hold features against those of a training.

    Args:
        reference: those of the training.
        present: as they are, at the same edges; what is missing is not compared.
        earlier: the looks before, oldest first.
        version: the model's.
        measured_at: up to when they look (UTC).
        rules: when a difference counts.
    """
    pairs = {
        name: (before, present[name])
        for name, before in reference.features.items()
        if name in present and min(before.size, present[name].size) >= rules.smallest_sample
    }
    distances = {name: ks_distance(*pair) for name, pair in pairs.items()}
    p_values = {name: ks_p_value(distances[name], *pair) for name, pair in pairs.items()}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    looks = []
    for name, pair in pairs.items():
        psi = stability_index(*pair)
        is_off = adjusted[name] <= rules.level and (
            distances[name] >= rules.smallest_ks or psi >= rules.smallest_psi
        )
        looks.append(
            FeatureLook(
                feature=name,
                measured_at=measured_at,
                reference_version=version,
                users=pair[1].size,
                psi=psi,
                ks=distances[name],
                ks_p_value=p_values[name],
                is_off=is_off,
                is_drifted=is_off and _was_off(earlier, name, version, rules.looks - 1),
                before_mean=pair[0].mean,
                after_mean=pair[1].mean,
            )
        )
    return looks


def drift_events(looks: Sequence[FeatureLook], rules: FeatureRules) -> list[DriftEvent]:
    """Return what has drifted, once for each feature and model version, under the same id.

    A new version is trained on the features as they are, and begins anew.
    """
    return [
        DriftEvent(
            event_id=_event_id(look),
            stream=f"{FEATURE}:{look.feature}",
            method="ks" if look.ks >= rules.smallest_ks else "psi",
            detected_at=look.measured_at,
            width=look.users,
            before_mean=look.before_mean,
            after_mean=look.after_mean,
            action=RECORDED,
        )
        for look in looks
        if look.is_drifted
    ]


def ks_distance(before: Distribution, after: Distribution) -> float:
    """Return the largest difference of the distribution functions at the edges."""
    if not before.size or not after.size:
        return 0.0
    return float(np.max(np.abs(_shares_up_to(before) - _shares_up_to(after))))


def ks_p_value(distance: float, before: Distribution, after: Distribution) -> float:
    """Return how often two samples of one distribution are so far apart, at the most."""
    if not before.size or not after.size:
        return 1.0
    effective = before.size * after.size / (before.size + after.size)
    return float(kolmogorov(np.sqrt(effective) * distance))


def stability_index(before: Distribution, after: Distribution) -> float:
    """Return the population stability index over parts of the reference."""
    cuts = _cuts(before)
    shares = []
    for sample in (before, after):
        parts = np.add.reduceat(np.array(sample.counts, np.float64), cuts)
        counts = np.append(parts, sample.missing) + _PSEUDO_COUNT
        shares.append(counts / counts.sum())
    return float(np.sum((shares[0] - shares[1]) * np.log(shares[0] / shares[1])))


def _shares_up_to(sample: Distribution) -> _Floats:
    counts = np.array(sample.counts, np.float64)
    shares: _Floats = np.cumsum(counts)[:-1] / counts.sum()
    return shares


def _cuts(reference: Distribution) -> npt.NDArray[np.int64]:
    """Return where parts begin that hold at least a tenth of the reference each."""
    counts = np.array(reference.counts, np.float64)
    of_part = np.minimum(
        ((np.cumsum(counts) - counts) / counts.sum() * PARTS).astype(int), PARTS - 1
    )
    return np.unique(of_part, return_index=True)[1]


def _was_off(earlier: Sequence[FeatureLook], feature: str, version: str, times: int) -> bool:
    of_feature = [look for look in earlier if look.feature == feature]
    before = of_feature[len(of_feature) - times :] if times else []
    return len(before) == times and all(
        look.is_off and look.reference_version == version for look in before
    )


def _event_id(look: FeatureLook) -> str:
    identity = f"{FEATURE}:{look.feature}:{look.reference_version}"
    return hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()
