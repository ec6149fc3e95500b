"""Which passwords are taken, whichever way they come."""

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client, override_settings

from datanika_site import settings as real_settings
from tenants import services
from tenants.errors import WeakPassword
from tenants.models import User


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short", "too short"),
        ("password123", "too common"),
        ("aaaaaaaaaaaaaaaa", "repeats the same few characters"),
        ("abababababababab", "repeats the same few characters"),
        ("vera.berg@example.com", "too similar to the e-mail address"),
        ("Veronika Berg", "too similar to the name"),
        ("x y z " * 683, "longer than 4096 characters"),
    ],
)
def test_what_is_refused_and_why(password: str, words: str) -> None:
    user = User(email="vera.berg@example.com", name="Veronika Berg")
    with pytest.raises(ValidationError) as refused:
        validate_password(password, user)
    assert words in " ".join(refused.value.messages)


@pytest.mark.parametrize(
    "password",
    [
        "four unrelated words here",
        "k9#vT!m2Qx",
        "пароль на родном языке",
        "🦊🐙🦉🐢🦀🐝🦋🐞🐬🐳",
        "x y z " * 682,
    ],
)
def test_what_is_taken(password: str) -> None:
    validate_password(password, User(email="vera.berg@example.com", name="Veronika Berg"))


def test_every_character_counts_however_many_there_are(db: None) -> None:
    """With the hashers of the real settings: bcrypt alone would stop reading after 72 bytes."""
    password = "пароль🦊" * 500
    with override_settings(PASSWORD_HASHERS=real_settings.PASSWORD_HASHERS):
        user = services.create_user(email="vera@example.com", name="Vera", password=password)
        assert user.password.startswith("bcrypt_sha256$$2b$12$")
        assert user.check_password(password)
        assert not user.check_password(password[:-1])


def test_one_that_is_too_long_is_not_hashed(db: None, client: Client) -> None:
    data = {
        "organization_name": "A",
        "name": "O",
        "email": "o@example.com",
        "password": "ab c" * 9000,
    }
    page = client.post("/welcome/", data)
    assert page.status_code == 422
    assert "at most 4096 characters" in page.content.decode()
    with pytest.raises(WeakPassword, match="longer than 4096"):
        services.create_user(email="o@example.com", name="O", password="ab c" * 9000)
    assert not User.objects.exists()
