"""``remove_second_factor``: for somebody who lost the app and the recovery codes, the only operator included."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.errors import DatanikaError
from tenants.actors import Actor
from tenants.models import User
from tenants.services.second_factor import remove_second_factor


class Command(BaseCommand):
    help = (
        "Removes the second factor of a person, who then signs in with the password alone."
        " Make sure first that it is this person who asks. Example: datanika remove_second_factor olga@example.com"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the address the person signs in with")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].strip()
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            raise CommandError(f"Nobody has the address {email} here.")
        try:
            remove_second_factor(user=user, actor=Actor.operator())
        except DatanikaError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{user.email} signs in with the password alone again.")
