"""The artifact folders: save, verify, load, and which one is current.

Arrays and JSON only, so that loading executes nothing and a library upgrade breaks nothing. It knows files
and hashes; what the arrays mean is the business of `policy`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zetaroute.errors import ArtifactError
from zetaroute.files.atomic import os_errors, sync_folder, write_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLD = "v0000"
"""The version that serves before anything was learned: the config's priors. It has no folder."""
SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
AMENDED = "amended.json"
"""Hashes of files that were changed because texts were forgotten; the version keeps its name."""
ARRAYS = "policy.npz"
VOCABULARY = "vocabulary.json"
_NAME = re.compile(r"v(\d{4,})-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One policy version as it is stored."""

    version: str
    manifest: Mapping[str, Any]
    arrays: Mapping[str, NDArray[np.generic]]
    vocabulary: tuple[str, ...]


class Registry:
    """The artifacts of one home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def versions(self) -> list[str]:
        """Return the names of all versions, oldest first."""
        if not self.folder.is_dir():
            return []
        names = [entry.name for entry in self.folder.iterdir() if _NAME.fullmatch(entry.name)]
        return sorted(names, key=_number)

    def current(self) -> str:
        """Return the version that serves now; COLD where nothing was promoted."""
        try:
            return (self.folder / "current").read_text(encoding="utf-8").strip() or COLD
        except FileNotFoundError:
            return COLD
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(
                f"{self.folder / 'current'} cannot be read ({error}): "
                "name the version to use with `zetaroute policies promote VERSION`."
            ) from error

    def moved_s(self) -> float:
        """Return when another version was made the current one (seconds since the epoch); 0 where none ever was."""
        try:
            return (self.folder / "current").stat().st_mtime
        except OSError:
            return 0.0

    def current_or_none(self) -> str | None:
        """Return the version that serves now, or None where the pointer cannot be read."""
        try:
            return self.current()
        except ArtifactError:
            return None

    def find(self, name: str) -> str:
        """Return the full version for a full name, a number (`7`, `v7`, `v0007`) or `current`.

        Raises ArtifactError with the versions that exist.
        """
        if name == "current":
            return self.current()
        if name == COLD:
            return COLD
        versions = self.versions()
        digits = re.fullmatch("v?0*([0-9]{1,9})", name)
        number = int(digits[1]) if digits else None
        if number == 0:
            return COLD
        found = [v for v in versions if v == name or _number(v) == number]
        if len(found) != 1:
            known = ", ".join([COLD, *versions])
            raise ArtifactError(f"there is no policy version {name!r}; there are {known}.")
        return found[0]

    def make_current(self, version: str) -> None:
        """Let `version` serve from the next decision on; the pointer is replaced in one step."""
        if version != COLD:
            self.manifest(version)
        self._point("current", version)

    def pinned(self) -> str | None:
        """Return the version that nothing but a person may replace, or None."""
        try:
            return (self.folder / "pinned").read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            return None

    def pin(self, version: str | None) -> None:
        """Let nothing but a person replace `version`; None takes a pin away."""
        self._point("pinned", version)

    def _point(self, name: str, version: str | None) -> None:
        pointer = self.folder / name
        with os_errors(f"cannot write {pointer}", "make it writable."):
            if version is None:
                pointer.unlink(missing_ok=True)
                return
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(pointer, f"{version}\n".encode())

    def publish(self, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
        """Store a new version and return its name, which ends in the hash of its manifest.

        `files` are stored beside the manifest, which gets their hashes. Written to a temporary folder and
        renamed, so a version is there whole or not at all.
        """
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
        body = {"schema_version": SCHEMA_VERSION, **manifest, "files": hashes}
        text = json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False).encode()
        draft = self.folder / f".draft-{uuid.uuid4().hex}"
        try:
            with os_errors(f"cannot write an artifact to {self.folder}", "make room there."):
                draft.mkdir(parents=True)
                for name, content in {**files, MANIFEST: text}.items():
                    write_whole(draft / name, content)
                return self._place(draft, hashlib.sha256(text).hexdigest()[:12])
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def amend(self, version: str, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Replace some files of a version and its manifest, which gets their hashes; the manifest comes last.

        The hashes of the new files are written down first: a kill in between leaves a version that is whole.
        """
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        text = json.dumps(
            {**manifest, "files": {**manifest["files"], **hashes}},
            indent=2,
            ensure_ascii=False,
            allow_nan=False,
        ).encode()
        folder = self.folder / version
        noted = {**self._amended(version), **hashes, MANIFEST: hashlib.sha256(text).hexdigest()}
        with os_errors(f"cannot write to {folder}", "make room there, then forget again."):
            for name, content in {AMENDED: json.dumps(noted).encode(), **files, MANIFEST: text}.items():
                write_whole(folder / name, content)

    def manifest(self, version: str) -> dict[str, Any]:
        """Return the manifest of a version; raise ArtifactError when it is missing or was changed."""
        path = self.folder / version / MANIFEST
        text = _read(path, version)
        digest = hashlib.sha256(text).hexdigest()
        if digest[:12] != version.rpartition("-")[2] and digest != self._amended(version).get(MANIFEST):
            raise _changed(path, version)
        manifest: dict[str, Any] = json.loads(text)
        if manifest["schema_version"] > SCHEMA_VERSION:
            raise ArtifactError(f"{version} was written by a newer zetaroute: upgrade to use it.")
        return manifest

    def read(self, version: str, name: str) -> bytes:
        """Return one file of a version, its hash checked; raise ArtifactError when it was changed."""
        return self._checked(version, name, self.manifest(version))

    def verify(self, version: str) -> None:
        """Check every byte of a version; raise ArtifactError naming the first file that was changed."""
        manifest = self.manifest(version)
        for name in manifest["files"]:
            self._checked(version, name, manifest)

    def load(self, version: str) -> Artifact:
        """Return what deciding needs of a version: manifest, arrays and vocabulary, hashes checked."""
        import numpy as np

        manifest = self.manifest(version)
        packed = self._checked(version, ARRAYS, manifest)
        try:
            arrays = unpack(packed)
            vocabulary = tuple(json.loads(self._checked(version, VOCABULARY, manifest)))
        except ValueError as error:
            raise ArtifactError(
                f"{version} cannot be read ({error}): go back with `policies rollback`."
            ) from error
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise ArtifactError(f"{version} holds numbers that are not finite in {name}: retrain.")
        return Artifact(version=version, manifest=manifest, arrays=arrays, vocabulary=vocabulary)

    def _checked(self, version: str, name: str, manifest: Mapping[str, Any]) -> bytes:
        path = self.folder / version / name
        content = _read(path, version)
        digest = hashlib.sha256(content).hexdigest()
        if digest != manifest["files"].get(name) and digest != self._amended(version).get(name):
            raise _changed(path, version)
        return content

    def _amended(self, version: str) -> dict[str, str]:
        try:
            stored = json.loads((self.folder / version / AMENDED).read_bytes())
        except (OSError, ValueError):
            return {}
        return stored if isinstance(stored, dict) else {}

    def _place(self, draft: Path, digest: str) -> str:
        number = max((_number(version) for version in self.versions()), default=0)
        while True:
            number += 1
            name = f"v{number:04d}-{digest}"
            taken = any(_number(version) == number for version in self.versions())
            if not taken:
                os.replace(draft, self.folder / name)
                sync_folder(self.folder)
                return name


def pack(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Return arrays as the bytes of an .npz file (loadable without pickle)."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # the stub takes the keyword allow_pickle for an array
    return buffer.getvalue()


def unpack(packed: bytes) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of an .npz file, refusing anything that would execute.

    Raises ValueError where it is none.
    """
    import numpy as np

    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except Exception as error:
        # Which one it is depends on which byte is wrong: a dozen kinds are known, tokenize's among them.
        raise ValueError(f"this is no file of arrays: {error}") from error


def _number(version: str) -> int:
    match = _NAME.fullmatch(version)
    return int(match[1]) if match else 0


def _read(path: Path, version: str) -> bytes:
    fix = "go back with `zetaroute policies rollback`."
    with os_errors(f"{version} has no readable {path.name}", fix, ArtifactError):
        return path.read_bytes()


def _changed(path: Path, version: str) -> ArtifactError:
    return ArtifactError(
        f"{path} was changed after it was written, so {version} is refused: "
        "go back with `zetaroute policies rollback` or retrain."
    )
