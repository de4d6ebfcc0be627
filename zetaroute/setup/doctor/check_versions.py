"""What was learned looked over: the versions byte by byte, faults of the log that it is learned from, drift."""

from __future__ import annotations

from collections.abc import Iterator

from zetaroute.analysis.guard_trial import lost
from zetaroute.analysis.log_drift import find_drift
from zetaroute.config import Home, Settings
from zetaroute.errors import ArtifactError
from zetaroute.learn.frame import TEACHING
from zetaroute.lifecycle.log_faults import faults_of_draws, faults_of_log
from zetaroute.lifecycle.versions import verify
from zetaroute.policy import load_policy
from zetaroute.registry import COLD, Registry
from zetaroute.setup.doctor.check_home import OpenedLog
from zetaroute.setup.doctor.diagnosis import Diagnosis, doubtful, well, wrong


def examine_versions(home: Home, settings: Settings, log: OpenedLog) -> Iterator[Diagnosis]:
    """Yield what there is to say of the policy versions: one line when all is well, one per damaged version."""
    registry = Registry(home.artifacts)
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
            repeated += verify(log.connection, home, settings, version)[version]
            whole += 1
        except ArtifactError as error:
            level = wrong if version == current else doubtful
            fix = None if version == current else "it does not serve: delete its folder"
            yield level("versions", str(error), fix)
    if versions and log.failure is not None:
        yield doubtful("versions", f"they were not held against the log ({log.failure})")
    elif whole == len(versions):
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


def examine_rows(home: Home, settings: Settings, log: OpenedLog) -> Iterator[Diagnosis]:
    """Yield the faults of the log itself, and what has changed since the newest version was learned."""
    connection = log.connection
    if connection is None:
        return
    (rows,) = connection.execute(f"SELECT count(*) FROM outcomes WHERE {TEACHING}").fetchone() or (0,)
    if rows:
        faults = [
            *faults_of_draws(connection, settings.arms),
            *faults_of_log(connection, Registry(home.artifacts), since=None),
        ]
        for fault in faults:
            yield (wrong if fault.refuses else doubtful)("finding", f"{fault.name}: {fault.words}")
        if not faults:
            yield well("finding", "the rows show no fault in probabilities, clocks or feedback")
    found = find_drift(connection, home, settings)
    words = found.line.removeprefix("drift: ").removeprefix("drift ")
    if found.reasons:
        yield doubtful("drift", words, "`zetaroute retrain` learns from what is so now")
    else:
        yield well("drift", words)
