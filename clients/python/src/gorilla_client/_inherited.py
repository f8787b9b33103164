"""The locks that `gorilla lock` holds for this process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import _fencing as fencing


@dataclass(frozen=True, slots=True)
class Inherited:
    """A lock that `gorilla lock` holds while this process runs, renews, and releases. It stops this process when the
    lock is lost."""

    resource: str
    fence: int
    floor: int

    def fence_in(
        self,
        cursor: Any,
        resource: str | None = None,
        floor: int | None = None,
        table: str = fencing.TABLE,
        paramstyle: fencing.Paramstyle | None = None,
    ) -> None:
        """As `Lock.fence_in`."""
        floor = self.floor if floor is None else floor
        fencing.fence_in(cursor, resource or self.resource, self.fence, floor, table=table, paramstyle=paramstyle)


def inherited(resource: str | None = None, *, environ: Mapping[str, str] | None = None) -> Inherited | None:
    """The lock that `gorilla lock` holds for this process: the one with this name, or the only one. None if there is
    none.

    Raises `ValueError` if `gorilla lock` holds several locks and no name is given.
    """
    environ = os.environ if environ is None else environ
    names = environ.get("GORILLA_LOCK_NAMES", "").splitlines()
    fences = environ.get("GORILLA_LOCK_FENCES", "").splitlines()
    floors = environ.get("GORILLA_LOCK_FLOORS", "").splitlines() or fences
    if not names and "GORILLA_LOCK_NAME" in environ:
        # An older `gorilla lock` has only these.
        names, fences = [environ["GORILLA_LOCK_NAME"]], [environ["GORILLA_LOCK_FENCE"]]
        floors = [environ.get("GORILLA_LOCK_FLOOR", fences[0])]
    locks = [
        Inherited(name, int(fence), int(floor))
        for name, fence, floor in zip(names, fences, floors, strict=True)
        if resource in (None, name)
    ]
    if len(locks) > 1:
        raise ValueError("gorilla lock holds several locks for this process: name one of them")
    return locks[0] if locks else None
