"""``user_access``: switch a person off or on again, from a terminal."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.errors import DatanikaError, NotFound
from tenants import services
from tenants.actors import Actor
from tenants.models import User


class Command(BaseCommand):
    help = (
        "Switches a person off: sessions, API sign-ins and the keys they made end at once."
        " Example: datanika user_access olga@example.com --off"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the person's e-mail address")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--off", action="store_true", help="the person cannot sign in any more")
        which.add_argument("--on", action="store_true", help="the person can sign in again")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._switch(options["email"].strip(), on=options["on"])
        except DatanikaError as error:
            raise CommandError(str(error)) from None

    def _switch(self, email: str, *, on: bool) -> None:
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            raise NotFound(f"Nobody has the address {email}.", field="email")
        if on:
            services.reactivate_user(user=user, actor=Actor.operator())
            self.stdout.write(f"{user} may sign in again.")
            return
        ended = services.deactivate_user(user=user, actor=Actor.operator())
        self.stdout.write(
            f"{user} is switched off: {ended.sessions} session(s) and {ended.keys} key(s) ended."
        )
        for organization in ended.ownerless:
            self.stderr.write(
                f"{organization} has no owner who can sign in. Make another member one in the admin."
            )
