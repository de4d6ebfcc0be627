"""What was learned looked over: the versions byte by byte, and faults of the log that it is learned from.

Apart from the other examinations because it alone needs the learning half.
"""

from __future__ import annotations

from collections.abc import Iterator

from zetaroute.analysis.guards import lost
from zetaroute.config import Home, Settings
from zetaroute.errors import ArtifactError, StoreError
from zetaroute.learn.frame import read_frame, sample
from zetaroute.lifecycle.log_faults import log_findings
from zetaroute.lifecycle.staleness import find_drift
from zetaroute.lifecycle.versions import verify
from zetaroute.policy import load_policy
from zetaroute.projections import log_of
from zetaroute.registry import COLD, Registry
from zetaroute.setup.doctor.diagnosis import Diagnosis, doubtful, well, wrong


def examine_versions(home: Home, settings: Settings) -> Iterator[Diagnosis]:
    """Yield what there is to say of the policy versions: one line when all is well, one per damaged version."""
    registry, log = Registry(home.artifacts), log_of(home)
    versions = registry.versions()
    try:
        current = registry.current()
    except ArtifactError as error:
        yield wrong("versions", str(error))
        return
    if current not in {COLD, *versions}:
        yield wrong("versions", f"{current} is to serve and is not there", "`zetaroute policies rollback`")
    whole, repeated = 0, 0
    for version in versions:
        try:
            repeated += verify(home, log, settings, version)[version]
            whole += 1
        except ArtifactError as error:
            level = wrong if version == current else doubtful
            mend = None if version == current else "it does not serve: delete its folder"
            yield level("versions", str(error), mend)
        except StoreError as error:
            yield doubtful("versions", f"{version} was not held against the log ({error})")
    if whole == len(versions):
        words = f"{current} serves"
        if versions:
            are = "1 version is whole and repeats" if whole == 1 else f"{whole} versions are whole and repeat"
            words += f"; {are} {repeated} logged decisions"
        yield well("versions", words)
    if current == COLD and versions:
        yield well("versions", "no version was promoted yet: the config's priors serve")


def examine_guards(home: Home, settings: Settings) -> Iterator[Diagnosis]:
    """Yield what is wrong with guards that the version in use decides about."""
    if not any(rule.segment for rule in settings.guards):
        return
    registry = Registry(home.artifacts)
    try:
        policy = load_policy(registry, registry.current())
    except ArtifactError:
        # Told already, with the versions.
        return
    for words in lost(policy, settings.guards):
        yield doubtful(
            "guard", words, "name one of these, or a task label, or take the guard out of the config"
        )


def examine_drift(home: Home, settings: Settings) -> Iterator[Diagnosis]:
    """Yield in one line what has changed since the newest version was learned."""
    log = log_of(home)
    if not home.database.exists():
        return
    try:
        found = find_drift(home, settings, log)
    except StoreError:
        return
    words = found.line.removeprefix("drift: ").removeprefix("drift ")
    if found.reasons:
        yield doubtful("drift", words, "`zetaroute retrain` learns from what is so now")
    else:
        yield well("drift", words)


def examine_log(home: Home, settings: Settings) -> Iterator[Diagnosis]:
    """Yield the faults of the log itself that make its rows worth less, or worth nothing."""
    log = log_of(home)
    if not home.database.exists():
        return
    try:
        with log.open(patience_s=1.0) as connection:
            frame = read_frame(connection)
            if not frame.height:
                return
            rows = sample(frame, settings.arms)
            faults = log_findings(connection, Registry(home.artifacts), rows)
    except StoreError:
        # Told already, where the log was opened for the first time.
        return
    for fault in faults:
        yield (wrong if fault.refuses else doubtful)("finding", f"{fault.name}: {fault.words}")
    if not faults:
        yield well("finding", "the rows show no fault in probabilities, clocks or feedback")
