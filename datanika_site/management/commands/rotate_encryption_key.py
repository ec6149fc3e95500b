"""``datanika rotate_encryption_key``: everything that is encrypted hangs on the newest key afterwards."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from audit import services as audit
from audit.actions import AuditAction
from common import ciphertext, crypto
from common.ciphertext import Count
from datanika_site import keys
from tenants.actors import Actor


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret with the first key of DATANIKA_ENCRYPTION_KEYS. Web and workers go on meanwhile;"
        " it may be stopped and started again. Status 1 when something could not be decrypted with any of the keys."
        " Example: datanika rotate_encryption_key --check"
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--check",
            action="store_true",
            help="change nothing; say how many rows hang on an older key, status 2 when there are any",
        )
        what.add_argument(
            "--new",
            action="store_true",
            help="make a new key first, where the keys are in keys.json (embedded)",
        )
        what.add_argument(
            "--drop-old",
            action="store_true",
            help="remove the older keys from keys.json, once nothing hangs on them",
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new"] or options["drop_old"]:
            self._own_file_only()
        if options["new"]:
            keys.add_encryption_key(Path(settings.DATA_DIR))
            crypto.encryption_keys(fresh=True)
        if options["check"] or options["drop_old"]:
            found = list(ciphertext.counts())
        else:
            found = list(ciphertext.renew_all())
            self._record(found)
        old = sum(count.old - count.renewed for count in found)
        unreadable = sum(count.unreadable for count in found)
        dropped = 0
        if options["drop_old"]:
            if old:
                raise CommandError(
                    f"{old:,} row(s) still hang on an older key. Run: datanika rotate_encryption_key"
                )
            dropped = keys.drop_old_encryption_keys(Path(settings.DATA_DIR))
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(found, old, unreadable, dropped), indent=2))
        else:
            self._say(found, old, unreadable, dropped)
        if unreadable:
            sys.exit(1)
        if options["check"] and old:
            sys.exit(2)

    def _own_file_only(self) -> None:
        if not settings.ENCRYPTION_KEYS_ARE_OWN:
            raise CommandError(
                "The encryption keys of this installation come from DATANIKA_ENCRYPTION_KEYS."
                " Put a new one before them, or take old ones out, where that variable is set."
            )

    def _record(self, found: list[Count]) -> None:
        changed = {count.holder.label: [0, count.renewed] for count in found if count.renewed}
        if changed:
            audit.record(
                organization=None,
                actor=Actor.operator(),
                action=AuditAction.ENCRYPTION_KEY_ROTATED,
                changes=changed,
            )

    def _say(self, found: list[Count], old: int, unreadable: int, dropped: int) -> None:
        for count in found:
            parts = [f"{count.rows:,} row(s)"]
            if count.renewed:
                parts.append(f"{count.renewed:,} encrypted anew")
            if left := count.old - count.renewed - count.unreadable:
                parts.append(f"{left:,} on an older key")
            if count.unreadable:
                parts.append(f"{count.unreadable:,} that no key decrypts")
            self.stdout.write(f"{count.holder.label}: {', '.join(parts)}")
        if unreadable:
            self.stderr.write(
                "What no key decrypts was left alone. Put the key that encrypted it back, after the newest, or enter"
                " these secrets again."
            )
        elif old:
            self.stdout.write(f"{old:,} row(s) hang on an older key.")
        elif dropped:
            self.stdout.write(f"{dropped} older key(s) removed.")
        else:
            self.stdout.write("Everything hangs on the newest key.")
            self._say_what_next()

    def _say_what_next(self) -> None:
        if len(crypto.encryption_keys()) < 2:
            return
        if settings.ENCRYPTION_KEYS_ARE_OWN:
            self.stdout.write(
                "Remove the older keys with: datanika rotate_encryption_key --drop-old"
            )
            return
        text = "The older keys may go from DATANIKA_ENCRYPTION_KEYS"
        if not keys.secret(keys.HASHING_KEY):
            text += ", once DATANIKA_HASHING_KEY is set to the last of them: hashed columns depend on it"
        self.stdout.write(f"{text}.")


def _as_json(found: list[Count], old: int, unreadable: int, dropped: int) -> dict[str, Any]:
    return {
        "old": old,
        "unreadable": unreadable,
        "dropped_keys": dropped,
        "columns": {
            count.holder.label: {
                "rows": count.rows,
                "old": count.old - count.renewed,
                "renewed": count.renewed,
                "unreadable": count.unreadable,
            }
            for count in found
        },
    }
