"""A base for management commands that run on one machine at a time.

class Command(LockedCommand):
    lock_wait = 600

    def handle(self, *args, **options):
        with transaction.atomic(), connection.cursor() as cursor:
            self.lock.fence_in(cursor)
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from typing import Any, ClassVar, Literal

from django.core.management.base import BaseCommand, CommandError

from gorilla_client import Client, Lock, NotAcquired

__all__ = ["LockedCommand"]


class LockedCommand(BaseCommand):  # type: ignore[misc]
    """A command that holds a lock while it runs."""

    lock_client: ClassVar[Client | None] = None
    """The client. By default one of the environment: GORILLA_URL, GORILLA_API_KEY."""
    lock_name: str | None = None
    """The name of the lock; by default `manage:` and the name of the command."""
    lock_ttl: float = 30.0
    lock_wait: float = 0.0
    lock_at_least: float = 0.0
    lock_else: Literal["skip", "fail"] = "skip"
    """What a command does while another machine runs it: nothing, or fail with a `CommandError`."""

    lock: Lock
    """The lock, in `handle`."""

    def execute(self, *args: Any, **options: Any) -> Any:
        client = self.lock_client or Client()
        name = self.lock_name or f"manage:{type(self).__module__.rpartition('.')[2]}"
        self.lock = client.lock(name, ttl=self.lock_ttl, wait=self.lock_wait, at_least=self.lock_at_least)
        try:
            self.lock.acquire()
        except NotAcquired as error:
            if self.lock_else == "fail":
                raise CommandError(str(error), returncode=75) from error
            self.stderr.write(f"skipped: {error}")
            return None
        with self.lock.scope():
            return super().execute(*args, **options)
