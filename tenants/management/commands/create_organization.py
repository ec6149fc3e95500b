"""``create_organization``: a new organization and its owner, from a terminal or a script."""

import json
import secrets
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from common.errors import DatanikaError, UserError
from tenants import services
from tenants.actors import Actor
from tenants.models import Organization, User


class Command(BaseCommand):
    help = (
        "Creates an organization. The owner keeps the account of that e-mail address, or gets a new one."
        ' Example: datanika create_organization "Acme" --owner olga@example.com --generate-password'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the organization's name")
        parser.add_argument("--owner", required=True, metavar="EMAIL", help="who owns it")
        parser.add_argument("--owner-name", default="", metavar="NAME", help="for a new account")
        password = parser.add_mutually_exclusive_group()
        password.add_argument(
            "--password-from-stdin",
            action="store_true",
            help="read the new account's password from standard input",
        )
        password.add_argument(
            "--generate-password",
            action="store_true",
            help="make a password for the new account and print it once",
        )
        parser.add_argument("--time-zone", default="UTC", metavar="ZONE")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organization, owner, password = self._create(options)
        except DatanikaError as error:
            raise CommandError(str(error)) from None
        result = {
            "organization": organization.name,
            "slug": organization.slug,
            "owner": owner.email,
            "generated_password": password or None,
        }
        if options["json"]:
            self.stdout.write(json.dumps(result, ensure_ascii=False))
            return
        self.stdout.write(
            f"Created {organization.name} (/o/{organization.slug}/) for {owner.email}."
        )
        if password:
            self.stdout.write(f"Password, shown this once: {password}")

    @transaction.atomic
    def _create(self, options: dict[str, Any]) -> tuple[Organization, User, str]:
        owner = User.objects.filter(email__iexact=options["owner"].strip()).first()
        generated = ""
        if owner is None:
            generated = secrets.token_urlsafe(18) if options["generate_password"] else ""
            owner = services.create_user(
                email=options["owner"],
                name=options["owner_name"],
                password=generated or self._password(options),
            )
        organization = services.create_organization(
            name=options["name"],
            owner=owner,
            actor=Actor.operator(),
            time_zone=options["time_zone"],
        )
        return organization, owner, generated

    def _password(self, options: dict[str, Any]) -> str:
        if not options["password_from_stdin"]:
            raise UserError(
                f"{options['owner']} has no account yet, so it needs a password.",
                remedy="Add --generate-password or --password-from-stdin.",
            )
        return sys.stdin.readline().rstrip("\r\n")
